//! Standard streams: FIFOs with readers that come late, go away or never come.

mod support;

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;

use containerd_shim_protos::api::{CloseIORequest, CreateTaskRequest};
use support::{Bundle, Place, patience};

fn reader(path: &str) -> File {
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).unwrap()
}

fn read_all(mut file: File) -> String {
    nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::empty())).unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_reader_that_comes_after_the_end_gets_every_byte_and_the_end() {
    let place = Place::new();
    let bundle = Bundle::new(&place, &["sh", "-c", "seq 1 5000; echo to stderr >&2"]);
    let (out, err) = (bundle.fifo("o"), bundle.fifo("e"));
    let shim = place.start(&bundle);
    shim.create_with(&bundle, &out, &err).unwrap();
    shim.start(&bundle.id).unwrap();
    assert_eq!(shim.wait(&bundle.id), 0);
    let want: String = (1..=5000).map(|i| format!("{i}\n")).collect();
    assert_eq!(read_all(reader(&out)), want);
    assert_eq!(read_all(reader(&err)), "to stderr\n");
    shim.delete(&bundle.id).unwrap();
    shim.shutdown();
}

#[test]
fn a_reader_may_come_and_go_while_more_is_written_than_a_pipe_holds() {
    let place = Place::new();
    let bundle = Bundle::new(&place, &["sh", "-c", "seq 1 200000"]);
    let out = bundle.fifo("o");
    let shim = place.start(&bundle);
    shim.create_with(&bundle, &out, &out).unwrap();
    shim.start(&bundle.id).unwrap();
    let mut text = Vec::new();
    for _ in 0..5 {
        let mut some = vec![0; 10_000];
        let mut file = reader(&out);
        support::eventually("there is output", || match file.read(&mut some) {
            Ok(n) => {
                text.extend_from_slice(&some[..n]);
                true
            }
            Err(_) => false,
        });
    }
    text.extend(read_all(reader(&out)).into_bytes());
    assert_eq!(shim.wait(&bundle.id), 0);
    let want: String = (1..=200_000).map(|i| format!("{i}\n")).collect();
    assert!(text == want.into_bytes(), "{} bytes came", text.len());
    shim.delete(&bundle.id).unwrap();
    shim.shutdown();
}

/// A container that copies its input, which is a FIFO, to its output file.
fn copier(place: &Place) -> (Bundle, String, support::Shim) {
    let bundle = Bundle::new(place, &["cat"]);
    let stdin = bundle.fifo("i");
    let shim = place.start(&bundle);
    let mut request = CreateTaskRequest::new();
    request.id = bundle.id.clone();
    request.bundle = bundle.path.to_str().unwrap().into();
    request.stdin = stdin.clone();
    request.stdout = bundle.stdout();
    shim.client.create(patience(), &request).unwrap();
    shim.start(&bundle.id).unwrap();
    (bundle, stdin, shim)
}

#[test]
fn input_ends_when_its_client_closes_it() {
    let place = Place::new();
    let (bundle, stdin, shim) = copier(&place);
    let mut input = OpenOptions::new().write(true).open(&stdin).unwrap();
    input.write_all(b"one\n").unwrap();
    support::eventually("it waits for more", || bundle.output() == "one\n");
    input.write_all(b"two\n").unwrap();
    drop(input);
    assert_eq!(shim.wait(&bundle.id), 0);
    assert_eq!(bundle.output(), "one\ntwo\n");
    shim.delete(&bundle.id).unwrap();
    shim.shutdown();
}

#[test]
fn input_to_which_nobody_came_ends_by_close_io() {
    let place = Place::new();
    let (bundle, _, shim) = copier(&place);
    let mut close = CloseIORequest::new();
    close.id = bundle.id.clone();
    close.stdin = true;
    shim.client.close_io(patience(), &close).unwrap();
    assert_eq!(shim.wait(&bundle.id), 0);
    shim.delete(&bundle.id).unwrap();
    shim.shutdown();
}

#[test]
fn a_user_who_is_not_root_can_open_its_output_by_name() {
    let place = Place::new();
    let bundle = Bundle::with(&place, &["sh", "-c", "echo by name > /proc/self/fd/1"], |config| {
        config["process"]["user"] = serde_json::json!({"uid": 1234, "gid": 1234});
    });
    let out = bundle.fifo("o");
    let shim = place.start(&bundle);
    shim.create_with(&bundle, &out, "").unwrap();
    shim.start(&bundle.id).unwrap();
    assert_eq!(shim.wait(&bundle.id), 0);
    assert_eq!(read_all(reader(&out)), "by name\n");
    shim.delete(&bundle.id).unwrap();
    shim.shutdown();
}
