//! Every route of the admin API in one table: what it is called, what its caller must be allowed, and what answers.

use axum::Router;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::handler::Handler;
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, patch, post, put};
use portcullis_config::Scope;
use portcullis_status::metrics::requests::{self, RouteOf};

use crate::access::{Principal, unknown_caller};
use crate::error::Failure;
use crate::manage::Manager;
use crate::{
    Admin, body, config, data, decide, decisions, health, keys, metrics, openapi, policies, reload, state, status,
    tenant_status,
};

/// One method of one path.
pub(crate) struct Route {
    pub(crate) method: Method,
    /// `/v1/tenants/{tenant}/policies/{name}`: whoever may only ask about one tenant must ask about that one.
    pub(crate) path: &'static str,
    pub(crate) needs: Needs,
    handler: MethodRouter<Admin>,
}

/// What the caller of a route must be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Needs {
    /// None: it is answered whoever asks.
    pub(crate) scope: Option<Scope>,
    /// The operator's, though its path names a tenant.
    is_host_wide: bool,
}

/// A route, for whoever lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub method: Method,
    pub path: &'static str,
    /// What the caller needs; none where it need not be known.
    pub scope: Option<Scope>,
    /// Whether it is for those who may do this for the host, and not only for one tenant.
    pub is_host_wide: bool,
}

/// All of them.
pub(crate) fn table() -> Vec<Route> {
    use Scope::{Data, Policies, Read};
    vec![
        Route::get("/v1/openapi.json", Read, openapi::read),
        Route::get("/v1/health/live", Read, health::live).open(),
        Route::get("/v1/health/ready", Read, health::ready),
        Route::get("/v1/version", Read, health::version),
        Route::get("/v1/status", Read, status),
        Route::get("/v1/tenants/{tenant}/status", Read, tenant_status),
        Route::post("/v1/reload", Policies, reload),
        Route::post("/v1/decide", Read, decide::decide),
        Route::post("/v1/tenants/{tenant}/decide", Read, decide::decide),
        Route::get("/v1/policies", Read, policies::list),
        Route::get("/v1/policies/{name}", Read, policies::read),
        Route::put("/v1/policies/{name}", Policies, policies::put),
        Route::delete("/v1/policies/{name}", Policies, policies::remove),
        Route::get("/v1/policies/{name}/config", Read, config::read),
        Route::put("/v1/policies/{name}/config", Policies, config::put),
        Route::patch("/v1/policies/{name}/config", Policies, config::patch),
        Route::delete("/v1/policies/{name}/config", Policies, config::remove),
        Route::put("/v1/policies/{name}/mode", Policies, config::put_mode),
        Route::get("/v1/policies/{name}/settings", Read, config::read_settings),
        Route::put("/v1/policies/{name}/settings", Policies, config::put_settings),
        Route::get("/v1/tenants/{tenant}/policies", Read, policies::list),
        Route::get("/v1/tenants/{tenant}/policies/{name}", Read, policies::read),
        Route::put("/v1/tenants/{tenant}/policies/{name}", Policies, policies::put),
        Route::delete("/v1/tenants/{tenant}/policies/{name}", Policies, policies::remove),
        Route::get("/v1/data", Read, data::list),
        Route::get("/v1/data/{*pointer}", Read, data::read),
        Route::put("/v1/data/{*pointer}", Data, data::put),
        Route::patch("/v1/data/{*pointer}", Data, data::patch),
        Route::delete("/v1/data/{*pointer}", Data, data::remove),
        Route::get("/v1/tenants/{tenant}/data", Read, data::list),
        Route::get("/v1/tenants/{tenant}/data/{*pointer}", Read, data::read),
        Route::put("/v1/tenants/{tenant}/data/{*pointer}", Data, data::put),
        Route::patch("/v1/tenants/{tenant}/data/{*pointer}", Data, data::patch),
        Route::delete("/v1/tenants/{tenant}/data/{*pointer}", Data, data::remove),
        Route::get("/v1/tenants/{tenant}/policies/{name}/config", Read, config::read),
        Route::put("/v1/tenants/{tenant}/policies/{name}/config", Policies, config::put),
        Route::patch("/v1/tenants/{tenant}/policies/{name}/config", Policies, config::patch),
        Route::delete("/v1/tenants/{tenant}/policies/{name}/config", Policies, config::remove),
        Route::put("/v1/tenants/{tenant}/policies/{name}/mode", Policies, config::put_mode),
        Route::get("/v1/tenants/{tenant}/policies/{name}/settings", Read, config::read_settings),
        Route::put("/v1/tenants/{tenant}/policies/{name}/settings", Policies, config::put_settings),
        Route::get("/v1/decisions", Read, decisions::follow),
        Route::get("/v1/decisions/{id}", Read, decisions::read),
        Route::get("/v1/tenants/{tenant}/decisions", Read, decisions::follow),
        Route::get("/v1/tenants/{tenant}/decisions/{id}", Read, decisions::read),
        Route::get("/v1/state", Read, state::list),
        Route::post("/v1/state/reset", Policies, state::reset),
        Route::get("/v1/tenants/{tenant}/state", Read, state::list_tenant),
        // What host-wide policies keep is among it.
        Route::delete("/v1/tenants/{tenant}/state", Policies, state::clear_tenant).host_wide(),
        Route::get("/v1/tenants/{tenant}/state/{origin}/{policy}", Read, keys::list),
        Route::delete("/v1/tenants/{tenant}/state/{origin}/{policy}", Policies, state::clear),
        Route::get("/v1/tenants/{tenant}/state/{origin}/{policy}/keys/{key}", Read, keys::read),
        Route::delete("/v1/tenants/{tenant}/state/{origin}/{policy}/keys/{key}", Policies, keys::clear),
        Route::get("/metrics", Read, metrics),
    ]
}

/// Every route, behind the check of who asks.
pub(crate) fn router(manager: &Manager) -> Router<Admin> {
    table().into_iter().fold(Router::new(), |router, route| {
        let check = middleware::from_fn_with_state((route.needs, manager.clone()), check);
        let name = middleware::from_fn_with_state(RouteOf(route.path), requests::name);
        router.route(route.path, route.handler.route_layer(check).layer(name))
    })
}

/// Lets through who may do this; to the tenant in the path, where there is one.
async fn check(
    State((needs, manager)): State<(Needs, Manager)>,
    params: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
    next: Next,
) -> Response {
    let Some(scope) = needs.scope else { return next.run(request).await };
    let Some(principal) = request.extensions().get::<Principal>() else { return unknown_caller() };
    let Ok(params) = params else { return Failure::bad_request("the path is not UTF-8 text").into_response() };
    let tenant = needs.tenant(&params);
    if principal.may(scope, tenant) {
        if let Some(name) = params.iter().find_map(|(name, value)| (name == "tenant").then_some(value)) {
            manager.await_tenant(name).await;
        }
        return next.run(request).await;
    }
    let whose = tenant.map_or_else(|| "host-wide".to_owned(), |tenant| format!("for tenant `{tenant}`"));
    let message = format!("this needs the scope `{scope}`, {whose}, which this caller does not have");
    body::discard(request.into_body()).await;
    Failure::new(StatusCode::FORBIDDEN, message).into_response()
}

/// All of them, for whoever lists them.
pub fn routes() -> Vec<Listed> {
    let listed = |Route { method, path, needs, .. }: Route| Listed {
        method,
        path,
        scope: needs.scope,
        is_host_wide: needs.is_host_wide || !path.contains("{tenant}"),
    };
    table().into_iter().map(listed).collect()
}

// === impl Needs ===

impl Needs {
    /// The tenant that it is enough to be allowed this for.
    fn tenant(self, params: &RawPathParams) -> Option<&str> {
        let param = |wanted: &str| params.iter().find_map(|(name, value)| (name == wanted).then_some(value));
        // What a host-wide policy keeps for a tenant can be a limit of that tenant's.
        let is_host_wide = self.is_host_wide || param("origin") == Some("host");
        if is_host_wide { None } else { param("tenant") }
    }
}

impl From<Scope> for Needs {
    fn from(scope: Scope) -> Self {
        Self { scope: Some(scope), is_host_wide: false }
    }
}

// === impl Route ===

impl Route {
    fn get<H: Handler<T, Admin>, T: 'static>(path: &'static str, needs: Scope, handler: H) -> Self {
        Self { method: Method::GET, path, needs: needs.into(), handler: get(handler) }
    }

    fn post<H: Handler<T, Admin>, T: 'static>(path: &'static str, needs: Scope, handler: H) -> Self {
        Self { method: Method::POST, path, needs: needs.into(), handler: post(handler) }
    }

    fn put<H: Handler<T, Admin>, T: 'static>(path: &'static str, needs: Scope, handler: H) -> Self {
        Self { method: Method::PUT, path, needs: needs.into(), handler: put(handler) }
    }

    fn patch<H: Handler<T, Admin>, T: 'static>(path: &'static str, needs: Scope, handler: H) -> Self {
        Self { method: Method::PATCH, path, needs: needs.into(), handler: patch(handler) }
    }

    fn delete<H: Handler<T, Admin>, T: 'static>(path: &'static str, needs: Scope, handler: H) -> Self {
        Self { method: Method::DELETE, path, needs: needs.into(), handler: delete(handler) }
    }

    /// Answers whoever asks, by TCP too: nothing of it may be worth hiding.
    fn open(self) -> Self {
        Self { needs: Needs { scope: None, ..self.needs }, ..self }
    }

    /// Not for those who may only ask about one tenant, though the path names one.
    fn host_wide(self) -> Self {
        Self { needs: Needs { is_host_wide: true, ..self.needs }, ..self }
    }
}
