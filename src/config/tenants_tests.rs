//! Reading and writing the block of tenants.
