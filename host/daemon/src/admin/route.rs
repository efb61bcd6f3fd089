//! Every route of the admin API in one table: what it is called, what its caller must be allowed, and what answers.

use axum::Router;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::handler::Handler;
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, patch, post, put};

use crate::admin::access::{Principal, Scope};
use crate::admin::error::Failure;
use crate::admin::{Admin, data, openapi, policies, reload, state, status};

/// One method of one path.
pub(crate) struct Route {
    #[cfg_attr(not(test), expect(dead_code, reason = "for whoever lists the routes"))]
    pub(crate) method: Method,
    /// `/v1/tenants/{tenant}/policies/{name}`: whoever may only ask about one tenant must ask about that one.
    pub(crate) path: &'static str,
    pub(crate) needs: Scope,
    handler: MethodRouter<Admin>,
}

/// All of them.
pub(crate) fn table() -> Vec<Route> {
    use Scope::{Data, Policies, Read};
    vec![
        Route::get("/v1/openapi.json", Read, openapi::read),
        Route::get("/v1/status", Read, status),
        Route::post("/v1/reload", Policies, reload),
        Route::get("/v1/policies", Read, policies::list),
        Route::get("/v1/policies/{name}", Read, policies::read),
        Route::put("/v1/policies/{name}", Policies, policies::put),
        Route::delete("/v1/policies/{name}", Policies, policies::remove),
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
        Route::get("/v1/state", Read, state::list),
        Route::post("/v1/state/reset", Policies, state::reset),
        Route::delete("/v1/tenants/{tenant}/state", Policies, state::clear_tenant),
        Route::get("/v1/tenants/{tenant}/state/{origin}/{policy}", Read, state::keys),
        Route::delete("/v1/tenants/{tenant}/state/{origin}/{policy}", Policies, state::clear),
    ]
}

/// Every route, behind the check of who asks.
pub(crate) fn router() -> Router<Admin> {
    table().into_iter().fold(Router::new(), |router, route| {
        let check = middleware::from_fn_with_state(route.needs, check);
        router.route(route.path, route.handler.route_layer(check))
    })
}

/// Lets through who may do this; to the tenant in the path, where there is one.
async fn check(
    State(needs): State<Scope>,
    params: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
    next: Next,
) -> Response {
    let Ok(params) = params else { return Failure::bad_request("the path is not UTF-8 text").into_response() };
    let tenant = params.iter().find_map(|(name, value)| (name == "tenant").then_some(value));
    let may = request.extensions().get::<Principal>().is_some_and(|principal| principal.may(needs, tenant));
    if may {
        return next.run(request).await;
    }
    let whose = tenant.map_or_else(|| "host-wide".to_owned(), |tenant| format!("for tenant `{tenant}`"));
    let told = format!("this needs the scope `{needs}`, {whose}, which this caller does not have");
    Failure::new(StatusCode::FORBIDDEN, told).into_response()
}

// === impl Route ===

impl Route {
    fn get<H: Handler<T, Admin>, T: 'static>(path: &'static str, needs: Scope, handler: H) -> Self {
        Self { method: Method::GET, path, needs, handler: get(handler) }
    }

    fn post<H: Handler<T, Admin>, T: 'static>(path: &'static str, needs: Scope, handler: H) -> Self {
        Self { method: Method::POST, path, needs, handler: post(handler) }
    }

    fn put<H: Handler<T, Admin>, T: 'static>(path: &'static str, needs: Scope, handler: H) -> Self {
        Self { method: Method::PUT, path, needs, handler: put(handler) }
    }

    fn patch<H: Handler<T, Admin>, T: 'static>(path: &'static str, needs: Scope, handler: H) -> Self {
        Self { method: Method::PATCH, path, needs, handler: patch(handler) }
    }

    fn delete<H: Handler<T, Admin>, T: 'static>(path: &'static str, needs: Scope, handler: H) -> Self {
        Self { method: Method::DELETE, path, needs, handler: delete(handler) }
    }
}
