//! How generators hear each other.

/// One generator's end of what all of them talk over. What one sender says arrives once, in its order.
pub trait Bus {
    /// Says something to the others' end: a leader to all of them, one of the others to its leader.
    fn say(&self, text: String) -> impl Future<Output = Result<(), String>>;

    /// Waits for what is said to this end. Cancelling loses nothing.
    fn hear(&self) -> impl Future<Output = Result<String, String>>;

    /// Lets what is kept under this end's name live on; said with every sign of life.
    fn live_on(&self) -> impl Future<Output = Result<(), String>>;
}
