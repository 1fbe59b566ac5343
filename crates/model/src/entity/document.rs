use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::value::RawValue;
use std::{
    any::Any,
    fmt,
    sync::{Arc, OnceLock},
};

/// JSON text that the model keeps and gives back but never looks into: only who wrote it knows its
/// shape. Cloning shares the text.
#[derive(Clone)]
pub struct Document(Arc<Inner>);

struct Inner {
    text: Box<RawValue>,
    /// What it was read as, by [`Document::shared`].
    read: OnceLock<Arc<dyn Any + Send + Sync>>,
}

impl Document {
    /// The JSON text of `value`. Fails where serde_json does: map keys that aren't strings, or a
    /// `Serialize` implementation that refuses.
    pub fn of(value: &(impl Serialize + ?Sized)) -> Result<Self, serde_json::Error> {
        serde_json::value::to_raw_value(value).map(Self::from)
    }

    /// Reads the document back as `T`.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.text())
    }

    /// As [`Self::to`], but read once for everybody: for what is asked for again and again. It is kept
    /// as the type that was asked for first.
    pub fn shared<T>(&self) -> Result<Arc<T>, serde_json::Error>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        if let Some(Ok(read)) = self.0.read.get().map(|read| read.clone().downcast::<T>()) {
            return Ok(read);
        }
        let read = Arc::new(self.to::<T>()?);
        // Somebody may have been faster, or have asked for another type.
        let _ = self.0.read.set(read.clone());
        Ok(read)
    }

    pub fn text(&self) -> &str {
        self.0.text.get()
    }
}

impl From<Box<RawValue>> for Document {
    fn from(text: Box<RawValue>) -> Self {
        Self(Arc::new(Inner { text, read: OnceLock::new() }))
    }
}

impl Default for Document {
    fn default() -> Self {
        Self::from(RawValue::NULL.to_owned())
    }
}

impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.text() == other.text()
    }
}

impl Eq for Document {}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.0.text.serialize(s)
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(d).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::Document;
    use std::sync::Arc;

    #[test]
    fn it_is_read_once_and_yet_as_any_type() {
        let document = Document::of(&[1, 2]).unwrap();
        let first: Arc<Vec<u8>> = document.shared().unwrap();
        let again: Arc<Vec<u8>> = document.clone().shared().unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        assert_eq!(*document.shared::<Vec<i64>>().unwrap(), [1, 2]);
        assert!(document.shared::<String>().is_err());
        assert_eq!(first.as_slice(), [1, 2]);
    }
}
