use portcullis_policy::{Document, Request, Verdict};

portcullis_policy::policy!(decide);

pub fn decide(request: &Request, _data: &Document) -> Verdict {
    if request.security_options().iter().any(|option| option.is("seccomp", "unconfined")) {
        return Verdict::deny("a container without a seccomp profile is not allowed");
    }
    Verdict::allow()
}
