//! The releases of the VM on which the layout was verified.

use std::ffi::CStr;
use std::mem::MaybeUninit;

use rustler::sys::{self, ErlNifSysInfo};

/// The major versions of the runtime system (ERTS) on which all tests ran with the layout: those of
/// OTP 25, 27 and 29. The VM does not change its layout within one.
const VERIFIED: [u32; 3] = [13, 15, 17];

/// True if the layout may be used, provided that the probes agree.
pub fn may_use_layout() -> bool {
    match std::env::var("ETSUNAMI_VM_TERMS").as_deref() {
        Err(_) | Ok("") => erts_major().is_some_and(|major| VERIFIED.contains(&major)),
        Ok("layout") => true,
        Ok(_) => false,
    }
}

/// The major version of the running ERTS.
fn erts_major() -> Option<u32> {
    let mut info = MaybeUninit::<ErlNifSysInfo>::zeroed();
    // SAFETY: room for the structure, of which the VM writes as much as it is told there is. The
    // version is a string that lives as long as the VM.
    let version = unsafe {
        sys::enif_system_info(info.as_mut_ptr(), size_of::<ErlNifSysInfo>());
        let version = info.assume_init().erts_version;
        (!version.is_null()).then(|| CStr::from_ptr(version))
    };
    version?.to_str().ok()?.split('.').next()?.parse().ok()
}
