//! What `docker buildx build` does against a guarded daemon, as docs/operators/buildx.md says it.

use std::fs;

use portcullis_tests::command::Finished;
use portcullis_tests::portcullis::{self, Config, Portcullis, Record};
use portcullis_tests::scratch::Scratch;
use portcullis_tests::tls::Authority;
use portcullis_tests::{Docker, Dockerd, Error, Release, Result};

const USERS: &[u8] = br#"{
    "alice": {"readOnly": false},
    "bob": {"readOnly": true},
    "builder": {"roles": ["builder"]},
    "developer": {"roles": ["developer"]},
    "half": {"roles": ["half"]}
}"#;
const ROLES: &[u8] = br#"{
    "builder": {"allow": ["buildkit", "session", "system:read"]},
    "developer": {"allow": ["containers", "images", "system:read"]},
    "half": {"allow": ["buildkit", "system:read"]}
}"#;
const POWER: &str = "seccomp: a privileged container runs without a seccomp profile";
const DOCKERFILE: &str = "FROM alpine\nRUN echo built > /file\n";

struct Stage {
    portcullis: Portcullis,
    dockerd: Dockerd,
    context: Scratch,
}

portcullis_tests::for_each_release!(buildx_builds_as_the_docs_say, play);

fn play(release: Release) -> Result<()> {
    let stage = Stage::set(release)?;
    stage.whose_certificate_says_so_builds()?;
    stage.whose_header_says_so_does_not()?;
    stage.who_may_not_open_a_session_is_told_of_a_protocol()?;
    stage.a_reader_is_told_of_an_image_that_is_pulled()?;
    stage.others_are_told_of_a_privileged_container()
}

// === impl Stage ===

impl Stage {
    fn set(release: Release) -> Result<Self> {
        let portcullis = Config::new()?
            .policy("seccomp")?
            .file("policies/user-roles.toml", b"[settings]\nuser_header = \"Authz-User\"\n")?
            .policy("user-roles")?
            .file("data/users.json", USERS)?
            .file("data/roles.json", ROLES)?
            .start()?;
        let setup = Dockerd::setup().release(release).with_tls(Authority::new()?);
        let dockerd = setup.guarded_by(portcullis::NAME, &portcullis.config().plugin_folder()).start()?;
        let context = Scratch::new()?;
        let path = context.path().join("Dockerfile");
        fs::write(&path, DOCKERFILE)
            .map_err(|source| Error::Io { doing: "writing a Dockerfile".to_owned(), source })?;
        Ok(Self { portcullis, dockerd, context })
    }

    /// Two calls, and no word of what is built.
    fn whose_certificate_says_so_builds(&self) -> Result<()> {
        let (built, records) = self.build(&self.certified("builder")?, "")?;
        assert!(built.status.success(), "{built:?}");
        let mut operations: Vec<&str> = records.iter().map(|record| record.text("operation")).collect();
        operations.sort_unstable();
        operations.dedup();
        assert!(operations.contains(&"(GRPC)") && operations.contains(&"Session"), "{operations:?}");
        assert!(
            operations
                .iter()
                .all(|operation| operation.starts_with("System") || ["(GRPC)", "Session"].contains(operation)),
            "{operations:?}"
        );
        Ok(())
    }

    /// `docker` sends the header, and the plugin does not. The builder of old is `docker` itself.
    fn whose_header_says_so_does_not(&self) -> Result<()> {
        let alice = Docker::new(&self.dockerd)?.header("Authz-User", "alice")?.plugin("docker-buildx")?;
        assert!(alice.run(&["ps"])?.status.success());
        let (built, _) = self.build(&alice, "")?;
        assert_denied(&built, "user-roles: nobody has proved who is calling");
        let context = self.context.path().display();
        let of_old = alice.shell(&format!("DOCKER_BUILDKIT=0 docker build --network none {context}"))?;
        assert!(of_old.status.success(), "{of_old:?}");
        Ok(())
    }

    fn a_reader_is_told_of_an_image_that_is_pulled(&self) -> Result<()> {
        let (built, records) = self.build(&self.certified("bob")?, "")?;
        assert_denied(&built, "user-roles: `bob` may only read, and ImageCreate changes something");
        let first = records.iter().find(|record| record.text("answer") == "deny");
        assert_eq!(first.map(|record| record.text("operation")), Some("(GRPC)"));
        Ok(())
    }

    fn who_may_not_open_a_session_is_told_of_a_protocol(&self) -> Result<()> {
        let (built, _) = self.build(&self.certified("half")?, "")?;
        assert!(
            !built.status.success() && built.stderr.contains("unable to upgrade to h2c, received 403"),
            "{built:?}"
        );
        Ok(())
    }

    /// Whether they asked for a builder in a container, or buildx takes one because it may not use the daemon's.
    fn others_are_told_of_a_privileged_container(&self) -> Result<()> {
        let alice = self.certified("alice")?;
        let context = "docker context create here --docker \"host=$DOCKER_HOST,ca=$DOCKER_CERT_PATH/ca.pem,\
                       cert=$DOCKER_CERT_PATH/cert.pem,key=$DOCKER_CERT_PATH/key.pem\"";
        let own = "docker buildx create --name own here";
        for line in ["docker tag alpine moby/buildkit:buildx-stable-1", context, own] {
            let finished = alice.shell(line)?;
            assert!(finished.status.success(), "{finished:?}");
        }
        assert_denied(&self.build(&alice, "--builder own")?.0, POWER);
        assert_denied(&self.build(&self.certified("developer")?, "")?.0, POWER);
        Ok(())
    }

    fn certified(&self, name: &str) -> Result<Docker> {
        Docker::with_certificate(self.dockerd.tls()?, &format!("/CN={name}"))?.plugin("docker-buildx")
    }

    /// Builds, and says what was decided meanwhile.
    fn build(&self, docker: &Docker, options: &str) -> Result<(Finished, Vec<Record>)> {
        let (mark, context) = (self.portcullis.mark(), self.context.path().display());
        let built = docker.shell(&format!("docker buildx build {options} --network none --tag built {context}"))?;
        let records = self.portcullis.records(mark);
        Ok((built, records.into_iter().filter(|record| record.message() == "decision").collect()))
    }
}

fn assert_denied(finished: &Finished, reason: &str) {
    let sentence = format!("authorization denied by plugin {}: {reason}", portcullis::NAME);
    assert!(!finished.status.success() && finished.stderr.contains(&sentence), "no `{sentence}` in {finished:?}");
}
