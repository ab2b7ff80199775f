// Every string that names the product, in one place.
export const PRODUCT = 'cargocd';
export const DOCS_URL = 'https://argo-cd.readthedocs.io/en/stable/';
export const LIVE_PROTOCOL = 'argocd-live.v1';
export const PREFS_KEY = 'dash.prefs.v1';
// Argo CD's own preferences, imported once on the first visit.
export const IMPORTED_PREFS_KEY = 'view_preferences';
