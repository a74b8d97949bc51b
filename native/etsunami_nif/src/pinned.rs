//! The library stays in memory until the VM ends.
//!
//! The VM unloads a library when the last version of its module is purged. By then there are a
//! background thread, thread-locals with destructors, and objects whose freeing is still to come,
//! all of which lead into the library's code. So it holds a handle on itself which says that it is
//! not to be unmapped.

/// Keeps the library mapped. Where that cannot be done nothing else changes: the library is then
/// unloaded only by who purges the module.
#[cfg(unix)]
pub fn stay() {
    use std::mem::MaybeUninit;

    let mut info = MaybeUninit::<libc::Dl_info>::uninit();
    let here = stay as *const libc::c_void;
    // SAFETY: an address of this library and an out pointer; the name that is given back lives as
    // long as the library is mapped. The handle is kept for ever, which is the purpose.
    unsafe {
        if libc::dladdr(here, info.as_mut_ptr()) != 0 {
            let name = info.assume_init().dli_fname;
            libc::dlopen(name, libc::RTLD_LAZY | libc::RTLD_NODELETE);
        }
    }
}

/// Windows has no such flag; there the module must not be purged.
#[cfg(not(unix))]
pub fn stay() {}
