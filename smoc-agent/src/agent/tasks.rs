//! What runs beside control, on a thread of its own. Nothing there may end before the agent does.

use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::{Id, JoinSet},
};

use super::AgentError;

/// The tasks beside control.
pub(super) struct Tasks {
    /// An `Option` so that `drop` can take it: a runtime must not be dropped inside another one.
    runtime: Option<Runtime>,
    running: JoinSet<Result<(), String>>,
    names: Vec<(Id, &'static str)>,
}

impl Tasks {
    /// Starts the thread.
    pub(super) fn start() -> Result<Self, AgentError> {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("side").enable_all().build();
        let runtime = runtime.map_err(|source| AgentError::Io { doing: "start a thread", source })?;
        Ok(Self { runtime: Some(runtime), running: JoinSet::new(), names: Vec::new() })
    }

    /// Where tasks are started.
    pub(super) fn handle(&self) -> Handle {
        self.runtime.as_ref().map_or_else(Handle::current, |runtime| runtime.handle().clone())
    }

    /// Makes something that belongs to the thread.
    pub(super) fn inside<T>(&self, make: impl FnOnce() -> T) -> T {
        let handle = self.handle();
        let _inside = handle.enter();
        make()
    }

    /// Starts a task. It must not return before the agent ends; if it does, it says why.
    pub(super) fn spawn(
        &mut self,
        name: &'static str,
        task: impl Future<Output = Result<(), String>> + Send + 'static,
    ) {
        let handle = self.running.spawn_on(task, &self.handle());
        self.names.push((handle.id(), name));
    }

    /// Waits until one ends, and says which and why.
    pub(super) async fn ended(&mut self) -> AgentError {
        let (id, why) = match self.running.join_next_with_id().await {
            None => return std::future::pending().await,
            Some(Ok((id, Ok(())))) => (id, "it had nothing more to do".to_owned()),
            Some(Ok((id, Err(why)))) => (id, why),
            Some(Err(error)) => (error.id(), error.to_string()),
        };
        let task = self.names.iter().find(|(known, _)| *known == id).map_or("a task", |(_, name)| *name);
        AgentError::Ended { task, why }
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn the_end_of_a_task_is_told_with_its_name_and_reason() {
        let mut tasks = Tasks::start().unwrap();
        tasks.spawn("one that waits", std::future::pending());
        tasks.spawn("one that fails", async { Err("the ring is gone".to_owned()) });
        let told = tasks.ended().await.to_string();
        assert!(told.starts_with("one that fails ended: the ring is gone."), "{told}");
        tasks.spawn("one that panics", async { panic!("no") });
        let told = tasks.ended().await.to_string();
        assert!(told.starts_with("one that panics ended: ") && told.contains("panicked"), "{told}");
    }
}
