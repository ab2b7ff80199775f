// Start of the page: theme, session, routes.

import { render } from 'preact';
import { signal } from '@preact/signals';
import { installSprite } from './icons/sprite';
import { lazy } from './lib/lazy';
import { startLive } from './live/browser';
import { PRODUCT } from './product';
import { appPath, navigate, path, startRouter } from './routes/router';
import { startKeys } from './routes/keys';
import { startApps } from './store/apps';
import { startPrefs, startWidths } from './store/prefs';
import { boot, bootError, settings, startSession, toLogin } from './store/session';
import { safeHref } from './lib/url';
import { BASE } from './rest/http';
import { Guard, Problem } from './widgets/states';
import Applications from './views/applications';
import Login from './views/login';
import { Shell } from './views/shell';
import { NotFound } from './views/notfound';

const AppDetails = lazy(() => import('./views/appdetails').then(m => m.default));
const UserInfo = lazy(() => import('./views/pages').then(m => m.UserInfo));
const Settings = lazy(() => import('./views/pages').then(m => m.Settings));
const Help = lazy(() => import('./views/pages').then(m => m.Help));

const booted = signal(false);

function Page() {
    const p = path.value;
    if (p === '/applications' || p === '/applications/') return <Applications />;
    const app = appPath(p);
    if (app) return <AppDetails key={`${app.namespace}/${app.name}`} app={app} />;
    if (p === '/user-info') return <UserInfo />;
    if (p === '/settings' || p === '/settings/appearance') return <Settings />;
    if (p === '/help') return <Help />;
    return <NotFound />;
}

function Root() {
    if (path.value === '/login') return <Login />;
    if (bootError.value) {
        return (
            <Shell>
                <div class="page">
                    <Problem title="The server could not be asked who you are." message={bootError.value} retry={() => void start()} />
                </div>
            </Shell>
        );
    }
    return (
        <Shell>
            <Guard what="This page" key={path.value}>
                {booted.value ? <Page /> : <div class="page" />}
            </Guard>
        </Shell>
    );
}

async function start(): Promise<void> {
    const login = path.peek() === '/login';
    const allowed = await boot(login);
    customCss();
    if (login || bootError.peek()) return;
    if (!allowed) return toLogin();
    booted.value = true;
    startLive();
}

function customCss(): void {
    const url = safeHref(settings.peek().uiCssURL, BASE);
    if (!url) return;
    const link = document.createElement('link');
    link.rel = 'stylesheet';
    link.href = url;
    document.head.append(link);
}

startPrefs();
startWidths();
startSession();
startRouter();
startKeys();
startApps();
installSprite();
if (path.peek() === '/') navigate('/applications', { replace: true });
document.title = PRODUCT;
const root = document.getElementById('app')!;
root.textContent = '';
render(<Root />, root);
void start();
