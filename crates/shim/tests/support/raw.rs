//! A client made by hand, for what a well-behaved one never sends.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use containerd_shim_protos::protobuf::Message;
use containerd_shim_protos::ttrpc::{Code, Request, Response};

pub struct Raw(UnixStream);

impl Raw {
    pub fn connect(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self(stream)
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    pub fn request(&mut self, stream: u32, service: &str, method: &str, payload: Vec<u8>) {
        let mut request = Request::new();
        request.service = service.into();
        request.method = method.into();
        request.payload = payload;
        let bytes = request.write_to_bytes().unwrap();
        self.send(&frame(stream, 1, &bytes));
    }

    /// The next answer: its stream, its status code, its payload.
    pub fn answer(&mut self) -> (u32, Code, Vec<u8>) {
        let mut header = [0; 10];
        self.0.read_exact(&mut header).unwrap();
        let length = u32::from_be_bytes(header[..4].try_into().unwrap()) as usize;
        let stream = u32::from_be_bytes(header[4..8].try_into().unwrap());
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).unwrap();
        let response = Response::parse_from_bytes(&payload).unwrap();
        (stream, response.status.code.enum_value().unwrap(), response.payload)
    }
}

pub fn frame(stream: u32, kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes().to_vec();
    bytes.extend(stream.to_be_bytes());
    bytes.extend([kind, 0]);
    bytes.extend(payload);
    bytes
}
