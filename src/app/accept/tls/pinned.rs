//! A client that knows one server: this service, by its configured certificate.
//!
//! For `vodrm health`, which asks at an address that no certificate names and in
//! images without roots. It takes exactly the certificate of the configuration, which
//! is more than a name would prove, and shows the same one where the service asks
//! clients for theirs.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use tokio_rustls::TlsConnector;

use super::{BadTls, Files, certificates};
use crate::settings::TlsSettings;

#[derive(Debug)]
struct Pinned {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if *end_entity == self.certificate {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Error::General("it shows another certificate than the configured one".to_owned()))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Connects to nobody but the service that these settings make.
pub fn connector(settings: &TlsSettings) -> Result<TlsConnector, BadTls> {
    let files = Files::read(settings)?;
    let refuse = |why: String| BadTls { setting: "cert", path: settings.cert.clone(), why };
    let chain = certificates("cert", &settings.cert, &files.cert)?;
    let certificate = chain.first().cloned().ok_or_else(|| refuse("holds no certificate".to_owned()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let pinned = Pinned { certificate, provider: Arc::clone(&provider) };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| refuse(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(pinned));
    let config = if settings.client_ca.is_some() {
        let key = PrivateKeyDer::from_pem_slice(&files.key)
            .map_err(|_| refuse("has no private key as PEM beside it".to_owned()))?;
        builder.with_client_auth_cert(chain, key).map_err(|error| refuse(error.to_string()))?
    } else {
        builder.with_no_client_auth()
    };
    Ok(TlsConnector::from(Arc::new(config)))
}
