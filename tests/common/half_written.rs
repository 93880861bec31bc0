//! Function libraries that leave a write or a look out.

/// What a resumed claim writes beside `exec_core`, as the source has it.
pub const WRITES: [&str; 8] = [
    "\"HSET\", K.attempt_hash",
    "\"HSET\", K.lease_current_key",
    "\"ZREM\", K.eligible_zset",
    "\"ZADD\", K.lease_expiry_key",
    "\"SADD\", K.worker_leases_key",
    "\"ZADD\", K.active_index_key",
    "\"XADD\", K.lease_history_key",
    "\"DEL\", K.claim_grant_key",
];

/// The published library whose resumed claim leaves out what `left_out` names, each a command and its key.
pub fn half_writing(left_out: &[&str]) -> String {
    leaving_out("ff_claim_resumed_execution", left_out)
}

/// The published library, one function of which leaves out what `left_out` names: a command and its key, or a
/// field and its value.
pub fn leaving_out(function: &str, left_out: &[&str]) -> String {
    with_function(function, |mut function| {
        for write in left_out {
            assert!(function.contains(write), "{write}");
            if write.ends_with(',') {
                function = function.replace(write, "");
                continue;
            }
            // An assignment, so that it stays a statement; the arguments are evaluated and nothing is called.
            function =
                function.replace(&format!("redis.call({write}"), &format!("local _ = select(1, {write}"));
        }
        function
    })
}

/// The published library whose resumed claim needs no grant, and so takes one that has run out as well.
pub fn without_grants() -> String {
    with_function("ff_claim_resumed_execution", |function| {
        ["invalid_claim_grant", "claim_grant_expired"].iter().fold(function, |function, code| {
            let refusal = format!("return err(\"{code}\")");
            assert!(function.contains(&refusal), "{code}");
            function.replace(&refusal, "local _ = 0")
        })
    })
}

/// The published library, which issues no grant for an execution that was interrupted.
pub fn without_reclaim_grants() -> String {
    with_function("ff_issue_claim_grant", |function| {
        let look = "core.eligibility_state ~= \"eligible_now\"";
        assert!(function.contains(look), "{look}");
        function.replace(look, &format!("{look} or core.attempt_state == \"attempt_interrupted\""))
    })
}

fn with_function(name: &str, change: impl FnOnce(String) -> String) -> String {
    let source = ff_script::LIBRARY_SOURCE;
    let begin = source.find(&format!("redis.register_function('{name}'")).expect("registered");
    let end = begin + source[begin..].find("\nend)").expect("ends");
    format!("{}{}{}", &source[..begin], change(source[begin..end].to_owned()), &source[end..])
}
