//! What runs, as the registry asks for it.

use std::sync::{Arc, OnceLock};

use control::App;
use registry::{ImagesInUse, UsedImage};

/// The control plane's images. It is attached when it runs; before, nothing is known.
#[derive(Debug, Default)]
pub(super) struct InUse(OnceLock<Arc<App>>);

impl InUse {
    pub fn attach(&self, app: Arc<App>) {
        // Nobody else sets it.
        let _ = self.0.set(app);
    }
}

impl ImagesInUse for InUse {
    fn now(&self) -> Option<Vec<UsedImage>> {
        let image = |image: control::images::UsedImage| UsedImage {
            account: image.scope.account.to_string(),
            region: image.scope.region.to_string(),
            repository: image.repository,
            tag: image.tag,
            digest: image.digest,
        };
        self.0.get().map(|app| control::images::in_use(app).into_iter().map(image).collect())
    }
}
