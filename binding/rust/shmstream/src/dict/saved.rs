// SPDX-License-Identifier: MIT
//! A dict as a file.
use super::Dict;
use crate::error::checked;
use crate::{c_path, sys, Error};
use std::path::Path;

impl Dict {
    /// Writes all records to a file, as they are at one moment; gives how many. The file is replaced as a whole.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<u64, Error> {
        let path = c_path(path.as_ref())?;
        // SAFETY: the path is zero-terminated; the handle is open as long as self lives.
        checked(|| unsafe { sys::shms_dict_save(self.raw(), path.as_ptr()) }).map(|n| n as u64)
    }

    /// Sets all records of a saved file; gives how many. Equal keys are replaced, others stay.
    pub fn load(&self, path: impl AsRef<Path>) -> Result<u64, Error> {
        let path = c_path(path.as_ref())?;
        // SAFETY: as above.
        checked(|| unsafe { sys::shms_dict_load(self.raw(), path.as_ptr()) }).map(|n| n as u64)
    }
}
