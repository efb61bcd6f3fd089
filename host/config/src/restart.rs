//! What of `portcullis.toml` takes a restart: all else is taken by a reload.

use crate::Config;

impl Config {
    /// Keys and tables that differ, and that a host which runs cannot take.
    pub fn restart_for(&self, next: &Self) -> Vec<String> {
        let listen = |config: &Self| config.admin.as_ref().map(|admin| admin.listen);
        let differs = [
            ("state_dir", self.state_dir != next.state_dir),
            ("cache_dir", self.cache_dir != next.cache_dir),
            ("admin_socket", self.admin_socket != next.admin_socket),
            ("trusted_headers", self.trusted_headers != next.trusted_headers),
            ("[[listener]]", self.listeners != next.listeners),
            ("[admin] listen", listen(self) != listen(next)),
            ("[limits]", self.limits != next.limits),
            ("[decision_log]", self.decision_log != next.decision_log),
            ("[metrics]", self.metrics != next.metrics),
            ("[traces]", self.traces != next.traces),
        ];
        differs.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key.to_owned()).collect()
    }
}
