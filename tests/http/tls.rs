//! TLS as operators meet it: the real binary, its health check, and files that are wrong.

use std::path::Path;
use std::time::Duration;

use rcgen::{CertificateParams, Issuer, KeyPair};

use crate::harness::process::{run, vodrm};

/// A certificate that vouches for itself, its key, and what it signs; as files and settings.
fn settings(folder: &Path) -> String {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let own = KeyPair::generate().unwrap();
    let leaf =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&own, &issuer).unwrap();
    std::fs::write(folder.join("ca.pem"), authority).unwrap();
    std::fs::write(folder.join("cert.pem"), leaf.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), own.serialize_pem()).unwrap();
    "[server]\nlisten = \"127.0.0.1:0\"\ndrain_delay = \"0s\"\n\
     [server.tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"\n"
        .to_owned()
}

#[test]
fn a_service_with_tls_is_healthy_and_answers_nothing_in_the_clear() {
    for client_ca in ["", "client_ca = \"ca.pem\"\n"] {
        let directory = tempfile::tempdir().unwrap();
        let toml = settings(directory.path()) + client_ca;
        std::fs::write(directory.path().join("vodrm.toml"), toml).unwrap();
        let served = ["serve", "--sandbox", "--config", "vodrm.toml"];
        let service = vodrm(directory.path(), &served, &[("VODRM__LOG__FORMAT", "json".to_owned())].into());
        let address = service.address();
        let health = |url: String| {
            run(directory.path(), &["health", "--config", "vodrm.toml", "--url", &url], &[].into())
        };
        let (code, said) = health(format!("https://{address}"));
        assert_eq!(code, 0, "{said}");
        let (code, said) = health(format!("http://{address}"));
        assert_eq!(code, 1, "{said}");
        // Another certificate at the same place is not ours.
        settings(directory.path());
        let (code, said) = health(format!("https://{address}"));
        assert!(code == 1 && said.contains("another certificate"), "{said}");
        service.signal("-TERM");
        let (status, said) = service.exit(Duration::from_secs(20));
        assert!(status.success(), "{said}");
    }
}

#[test]
fn files_that_do_not_fit_stop_the_start() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("vodrm.toml"), settings(directory.path())).unwrap();
    std::fs::write(directory.path().join("key.pem"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    for command in [["serve", "--config"], ["check", "--config"]] {
        let (code, said) = run(directory.path(), &[command[0], command[1], "vodrm.toml"], &[].into());
        assert!(code == 1 && said.contains("server.tls.key: key.pem"), "{said}");
        assert!(!said.contains("PRIVATE KEY"), "{said}");
    }
}
