//! Every atom that the boundary speaks, made once at load.

use std::sync::OnceLock;

use crate::vm::{Env, VmTerm};

static ATOMS: OnceLock<Atoms> = OnceLock::new();

/// The atoms.
///
/// # Panics
/// Before [`load`].
#[inline(always)]
pub fn atoms() -> &'static Atoms {
    ATOMS.get().expect("atoms are made at load")
}

/// Makes the atoms.
pub fn load(env: Env) {
    ATOMS.get_or_init(|| Atoms::new(env));
}

macro_rules! atoms {
    ($($name:ident $(= $text:literal)?),* $(,)?) => {
        /// The atoms, by name.
        #[allow(missing_docs, reason = "each is the atom of its name")]
        pub struct Atoms {
            $(pub $name: VmTerm<'static>,)*
        }

        impl Atoms {
            fn new(env: Env) -> Atoms {
                Atoms { $($name: env.atom(atoms!(@text $name $($text)?)),)* }
            }
        }
    };
    (@text $name:ident) => { stringify!($name) };
    (@text $name:ident $text:literal) => { $text };
}

atoms! {
    access,
    already_exists,
    answer,
    any = "_",
    atomics,
    auto,
    badarg,
    badkey,
    bag,
    bucket,
    ca_tree,
    compressed,
    continuation,
    debug_hash_fixed_number_of_locks,
    decentralized_counters,
    default,
    duplicate_bag,
    end_of_table = "$end_of_table",
    engine,
    error,
    ets_transfer = "ETS-TRANSFER",
    etsunami_error,
    fixed,
    greatest = "$greatest",
    hash_table,
    heir,
    id,
    infinity,
    at_least = ">=",
    at_most = "=<",
    above = ">",
    below = "<",
    keep,
    key,
    keypos,
    least = "$least",
    lookup,
    memory,
    more,
    name,
    named_table,
    nif_panicked,
    no,
    nonode = "nonode@nohost",
    node,
    none,
    not_owner,
    ok,
    ordered_set,
    owner,
    position,
    private,
    protected,
    protection,
    public,
    read_concurrency,
    reverse,
    safe_fixed,
    safe_fixed_monotonic_time,
    set,
    size,
    skip_list,
    start,
    stats,
    system_limit,
    table_type,
    ranges,
    scan,
    r#false = "false",
    r#true = "true",
    r#type = "type",
    undefined,
    write_concurrency,
}

/// `true` or `false`.
#[inline]
pub fn boolean(value: bool) -> VmTerm<'static> {
    if value { atoms().r#true } else { atoms().r#false }
}
