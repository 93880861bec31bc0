//! How many bytes a command and a reply have on the wire. No client says, so they are counted from the
//! values.

use redis::{Cmd, Value};

/// Length of a command as it goes over the wire, without encoding it: the connection does that once more
/// anyway.
pub fn request_len(cmd: &Cmd) -> usize {
    let args = cmd.args_iter();
    let head = 1 + digits(args.len()) + 2;
    let bulk = |arg: redis::Arg<&[u8]>| match arg {
        redis::Arg::Simple(bytes) => bulk_len(bytes.len()),
        // A cursor at its start; commands with a cursor that goes on are not sent here.
        _ => bulk_len(1),
    };
    head + args.map(bulk).sum::<usize>()
}

/// Length of `$<len>\r\n<bytes>\r\n`.
fn bulk_len(len: usize) -> usize {
    1 + digits(len) + 2 + len + 2
}

/// Decimal digits of a number.
fn digits(n: usize) -> usize {
    n.checked_ilog10().unwrap_or(0) as usize + 1
}

/// Length of a reply as the server encoded it in RESP2, which every connection here speaks.
pub fn reply_len(value: &Value) -> usize {
    match value {
        Value::Int(n) => 3 + usize::from(*n < 0) + digits(n.unsigned_abs() as usize),
        Value::BulkString(bytes) => bulk_len(bytes.len()),
        Value::Array(items) => 1 + digits(items.len()) + 2 + items.iter().map(reply_len).sum::<usize>(),
        Value::SimpleString(text) => text.len() + 3,
        Value::Nil | Value::Okay => 5,
        Value::ServerError(error) => {
            error.code().len() + error.details().map_or(0, |detail| detail.len() + 1) + 3
        }
        // RESP3 only; the connections are opened with RESP2.
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use redis::Pipeline;

    use super::*;

    #[test]
    fn request_length_is_what_is_packed() {
        for long in [0, 1, 9, 10, 99, 100, 999, 1_000, 70_000] {
            let mut cmd = redis::cmd("FCALL");
            cmd.arg("ff_test").arg(i64::MIN).arg("").arg(vec![b'x'; long]);
            for _ in 0..long.min(120) {
                cmd.arg("more");
            }
            assert_eq!(request_len(&cmd), cmd.get_packed_command().len(), "with {long} bytes");
        }
        let mut pipeline = Pipeline::new();
        pipeline.cmd("HGET").arg("key").arg("field").cmd("PING");
        let counted: usize = pipeline.cmd_iter().map(request_len).sum();
        assert_eq!(counted, pipeline.get_packed_pipeline().len());
    }

    #[test]
    fn reply_length_of_integers_is_what_resp2_sends() {
        for n in [0, 9, 10, -1, -10, i64::MAX, i64::MIN] {
            assert_eq!(reply_len(&Value::Int(n)), format!(":{n}\r\n").len());
        }
    }

    #[test]
    fn reply_length_is_what_resp2_sends() {
        let reply = Value::Array(vec![
            Value::Int(1),
            Value::BulkString(b"OK".to_vec()),
            Value::Nil,
            Value::BulkString(vec![b'x'; 10]),
        ]);
        assert_eq!(reply_len(&reply), "*4\r\n:1\r\n$2\r\nOK\r\n$-1\r\n$10\r\nxxxxxxxxxx\r\n".len());
    }
}
