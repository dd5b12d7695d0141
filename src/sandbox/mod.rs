//! Kit for the vendors’ simulators.
