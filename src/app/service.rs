//! The whole service: made in order, run, ended in order.
//!
//! Journal first, so that nothing is taken that cannot be kept; then lanes, which
//! take back what a dead process left; then the door. At the end the other way
//! round: the door closes, open requests are answered, calls under way are
//! recorded, the journal is closed. Used by `serve`, by `demo` and by the tests.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use super::accept::{self, tls::Tls};
use super::accounts;
use super::issuers;
use super::shutdown::Shutdown;
use crate::api;
use crate::dispatch::retry::Policy;
use crate::dispatch::{AccountConfig, Dispatch, Parts};
use crate::guard::bad_keys::BadKeys;
use crate::journal::Journal;
use crate::journal::sqlite::{Moved, SqliteJournal};
use crate::settings::{Settings, StoreSettings};
use crate::types::chance::Chance;
use crate::types::clock::{Clock, SteadyClock};
use crate::types::metrics::Metrics;

/// A service that runs.
#[derive(Debug)]
pub struct Service {
    /// Where it listens.
    pub addr: SocketAddr,
    /// What is counted.
    pub metrics: Metrics,
    /// Its lanes and its journal.
    pub dispatch: Dispatch,
    journal: Arc<dyn Journal>,
    tasks: TaskTracker,
    door: JoinHandle<()>,
}

impl Service {
    /// Makes and starts everything. `shutdown` ends it.
    pub async fn start(
        settings: &Settings,
        clock: Arc<dyn Clock>,
        shutdown: &Shutdown,
    ) -> anyhow::Result<Self> {
        let metrics = Metrics::new();
        let tasks = TaskTracker::new();
        // Providers sign with the true time; everything that is stored keeps to a steady one.
        let configs = configure(settings, &clock).await?;
        let issuers = issuers::start(&settings.issuers, &clock, &tasks, &shutdown.closing).await?;
        let clock = SteadyClock::over(clock);
        let journal = open_journal(&settings.store, &clock, &metrics).await?;
        let dispatch = Dispatch::new(
            Parts {
                journal: Arc::clone(&journal),
                clock: Arc::clone(&clock),
                chance: Chance::system(),
                metrics: metrics.clone(),
                tasks: tasks.clone(),
                stop: shutdown.closing.clone(),
                policy: Policy {
                    max_attempts: settings.retry.max_attempts,
                    max_age: settings.retry.max_age,
                    cool_down: settings.retry.cool_down,
                },
                queue_depth: u64::try_from(settings.lanes.queue_depth).unwrap_or(u64::MAX),
                keep: settings.retention.finished,
            },
            configs,
        );
        let tls = settings.server.tls.as_ref().map(Tls::load).transpose()?.map(Arc::new);
        let listener = accept::listen(settings.server.listen)
            .with_context(|| format!("server.listen: cannot listen on {}", settings.server.listen))?;
        let addr = listener.local_addr()?;
        dispatch.start().await.context("the journal's open items cannot be read")?;
        let callers = settings.callers();
        if callers.is_open() {
            tracing::warn!("no callers are configured: whoever reaches this loopback address may delete");
        }
        let app = api::router(api::Parts {
            dispatch: dispatch.clone(),
            callers: Arc::new(callers),
            issuers,
            bad_keys: Mutex::new(BadKeys::new(settings.server.max_bad_keys)),
            metrics: metrics.clone(),
            clock: Arc::clone(&clock),
            body_limits: api::body::BodyLimits {
                room: api::body::room(settings.server.max_json_bytes),
                max_json_bytes: settings.server.max_json_bytes,
                silence: settings.server.body_timeout,
                deadline: settings.server.request_body_deadline,
            },
            upload_limits: api::intake::UploadLimits {
                max_items: settings.intake.max_items,
                max_bytes: settings.intake.max_bytes,
                max_line_bytes: settings.intake.max_line_bytes,
                places: Arc::new(Semaphore::new(settings.intake.max_uploads)),
            },
            key_rules: api::idempotency::KeyRules {
                keep: settings.idempotency.keep,
                required: settings.idempotency.required,
            },
            seats: api::seats::Seats::new(
                settings.server.max_streams,
                settings.server.max_streams_per_caller,
            ),
            max_requests_in_flight: settings.server.max_requests_in_flight,
            public_docs: settings.server.public_docs,
            draining: shutdown.asked.clone(),
        })?;
        if let Some(tls) = tls.clone() {
            let (follow, closing) = (tls.follow(Arc::clone(&clock)), shutdown.closing.clone());
            tasks.spawn(async move {
                tokio::select! {
                    () = follow => {}
                    () = closing.cancelled() => {}
                }
            });
        }
        let door = {
            let (server, metrics, tasks, shutdown) =
                (settings.server.clone(), metrics.clone(), tasks.clone(), shutdown.clone());
            tasks.clone().spawn(async move {
                accept::serve(listener, app, &server, tls, metrics, &tasks, &shutdown).await;
            })
        };
        tracing::info!(%addr, accounts = settings.accounts.len(), journal = %settings.store.path.display(), "serving");
        Ok(Self { addr, metrics, dispatch, journal, tasks, door })
    }

    /// Waits for the end that `shutdown` begins: answered, recorded, closed.
    pub async fn ended(self, shutdown: &Shutdown) {
        tokio::select! {
            done = self.door => {
                if let Err(error) = done {
                    tracing::error!(%error, "the accept loop ended by itself");
                    shutdown.closing.cancel();
                }
            }
            () = shutdown.at_once.cancelled() => {}
        }
        self.tasks.close();
        tokio::select! {
            () = self.tasks.wait() => tracing::info!("stopped: every call is recorded"),
            () = shutdown.at_once.cancelled() => {
                tracing::warn!("stopped early: calls under way are settled at the next start");
            }
        }
        self.dispatch.tell_audit_head().await;
        self.journal.close().await;
    }
}

async fn open_journal(
    store: &StoreSettings,
    clock: &Arc<dyn Clock>,
    metrics: &Metrics,
) -> anyhow::Result<Arc<dyn Journal>> {
    let (path, clock, metrics) = (store.path.clone(), Arc::clone(clock), metrics.clone());
    let moved = if store.accept_moved { Moved::Accept } else { Moved::Pause };
    // Opening may create folders, replay a log and wait for a disk.
    let opened =
        tokio::task::spawn_blocking(move || SqliteJournal::open_moved(&path, clock, metrics, moved)).await?;
    Ok(Arc::new(opened.context("store.url")?))
}

async fn configure(settings: &Settings, clock: &Arc<dyn Clock>) -> anyhow::Result<Vec<AccountConfig>> {
    let accounts = accounts::set_up(&settings.accounts, clock).await?;
    let region = |name| settings.accounts.iter().find(|a| a.name == name).and_then(|a| a.region.clone());
    Ok(accounts
        .into_iter()
        .map(|account| AccountConfig {
            policy: account.policy.clone(),
            region: region(account.name.clone()),
            rates: account.limits.iter().map(|l| (l.operation.name, l.rate())).collect::<BTreeMap<_, _>>(),
            id: account.name,
            provider: account.provider,
            quota_group: account.quota_group,
        })
        .collect())
}
