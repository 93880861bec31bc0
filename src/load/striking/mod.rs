//! Does to the servers, while a window goes on, what a scenario's `[[fault]]` says: whom it strikes, how, and
//! until when they are watched.

mod injector;
mod strikes;
mod targets;

pub(super) use injector::beside_strikes;
