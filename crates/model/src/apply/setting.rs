use super::Draft;
use crate::{entity::*, event::Event};
use std::sync::Arc;

impl Draft {
    pub(super) fn put_setting(&mut self, setting: &AccountSetting) {
        if self.world.account_setting(&setting.key).map(|known| &**known) != Some(setting) {
            self.emit(Event::AccountSettingPut(Arc::new(setting.clone())));
        }
    }

    pub(super) fn delete_setting(&mut self, key: &SettingKey) {
        if self.world.account_setting(key).is_some() {
            self.emit(Event::AccountSettingDeleted(key.clone()));
        }
    }
}
