//! The BEAM boundary: decode, one call of the core, encode.

use etsunami as _;
use rustler as _;
