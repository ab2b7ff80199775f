// Screen S3: one application.

import { useEffect, useMemo, useRef } from 'preact/hooks';
import { healthLook } from '../../widgets/status';
import { lazy } from '../../lib/lazy';
import { useTitle } from '../../lib/title';
import { useCommands } from '../../routes/keys';
import { appHref, href, navigate, param, params, setParams, type AppPath } from '../../routes/router';
import { refresh } from '../../store/actions';
import { appStore } from '../../store/app';
import { appsFeed, neighbours } from '../../store/apps';
import { isRunning } from '../../store/appspec';
import { phone, prefs, setPref, type Prefs } from '../../store/prefs';
import { settings } from '../../store/session';
import { announce, toast } from '../../store/toasts';
import type { Application } from '../../types';
import { Blank, Bones, Guard, Problem } from '../../widgets/states';
import type { AppContext } from './context';
import { appNode, readNode, openNode } from './context';
import { Header } from './header';
import { StatusCards } from './cards';
import ConditionsPanel from './conditions';
import HistoryPanel from './history';
import ListView from './list';
import OperationPanel from './operation';
import ResourcePanel from './resource';
import TreeView from './tree';

const SyncPanel = lazy(() => import('../dialogs').then(m => m.SyncPanel));
const DeleteApp = lazy(() => import('../dialogs').then(m => m.DeleteApp));

type View = Prefs['appView'];
const VIEW_NAMES: Record<View, string> = { tree: 'Tree', list: 'List' };

function viewOf(app: Application | undefined): View {
    const wanted = param('view') || app?.metadata.annotations?.['pref.argocd.argoproj.io/default-view'] || (phone.value ? 'list' : prefs.value.appView);
    return wanted === 'list' ? 'list' : 'tree';
}

// Argo CD accepts the application's address without its namespace: then it lives beside the controller.
function fullPath(p: AppPath): AppPath {
    return p.namespace ? p : { ...p, namespace: settings.peek().controllerNamespace || 'argocd' };
}

const TONES: Record<string, string> = {
    'c-ok': '#0b7a5c',
    'c-warn': '#8f5a00',
    'c-missing': '#a8480f',
    'c-bad': '#c0293b',
    'c-info': '#0b66c3',
    'c-paused': '#6b4fa0',
    'c-unknown': '#5b6b7a',
};

// The icon of the browser's tab mirrors the application's health.
function useFavicon(health: string | undefined): void {
    useEffect(() => {
        const link = document.querySelector<HTMLLinkElement>('link[rel=icon]');
        if (!link || !health) return;
        const before = link.href;
        const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><circle cx="12" cy="12" r="9" fill="${TONES[healthLook(health).tone]}"/></svg>`;
        link.href = `data:image/svg+xml,${encodeURIComponent(svg)}`;
        return () => {
            link.href = before;
        };
    }, [health]);
}

function useAnnounce(name: string, app: Application | undefined): void {
    const last = useRef<string | undefined>(undefined);
    const health = app?.status?.health?.status;
    useEffect(() => {
        if (last.current && health && last.current !== health) announce(`${name} is now ${health}`);
        if (health) last.current = health;
    }, [health]);
}

export default function AppDetails({ app: given }: { app: AppPath }) {
    const path = useMemo(() => fullPath(given), [given.name, given.namespace]);
    const store = useMemo(() => appStore(path), [path]);
    useEffect(() => {
        const stop = [store.app.acquire(), store.tree.acquire(), appsFeed.acquire()];
        return () => stop.forEach(s => s());
    }, [store]);
    const app = store.application.value;
    const seen = useRef(false);
    const ready = store.app.table.ready.value;
    const error = store.app.table.error.value;
    const view = viewOf(app);
    useTitle(path.name, VIEW_NAMES[view], 'Applications');
    useFavicon(app?.status?.health?.status);
    useAnnounce(path.name, app);

    useEffect(() => {
        if (app) seen.current = true;
        else if (seen.current && ready && !error) {
            toast('warning', `${path.name} was deleted`);
            navigate('/applications', { replace: true });
        }
    }, [app, ready, error]);

    const setView = (v: View) => {
        setPref('appView', v);
        setParams({ view: v }, { push: true });
    };
    const near = neighbours(`${path.namespace}/${path.name}`);
    const goto = (key: string | undefined) => {
        if (!key) return;
        const slash = key.indexOf('/');
        navigate(appHref({ namespace: key.slice(0, slash), name: key.slice(slash + 1) }) + (param('view') ? `?view=${view}` : ''));
    };
    useCommands([
        { keys: '1', title: 'Show the tree', group: 'Application', run: () => setView('tree') },
        { keys: '2', title: 'Show the list', group: 'Application', run: () => setView('list') },
        { keys: 's', title: `Sync ${path.name}`, group: 'Application', run: () => setParams({ deploy: 'all' }, { push: true }) },
        { keys: 'r', title: `Refresh ${path.name}`, group: 'Application', run: () => void refresh(path).catch(() => {}) },
        { keys: 'Shift+R', title: `Hard refresh ${path.name}`, group: 'Application', run: () => void refresh(path, 'hard').catch(() => {}) },
        { keys: 'o', title: 'Show the operation', group: 'Application', run: () => setParams({ operation: 'true' }, { push: true }) },
        { keys: 'Shift+H', title: 'Show the history', group: 'Application', run: () => setParams({ rollback: '0' }, { push: true }) },
        { keys: 'i', title: 'Show details', group: 'Application', run: () => openNode(appNode(path)) },
        { keys: 'y', title: 'Show the manifest', group: 'Application', run: () => openNode(appNode(path), 'manifest') },
        { keys: 'e', title: 'Show events', group: 'Application', run: () => openNode(appNode(path), 'event') },
        { keys: '[', title: 'Previous application of the list', group: 'Application', run: () => goto(near.previous) },
        { keys: ']', title: 'Next application of the list', group: 'Application', run: () => goto(near.next) },
    ]);

    if (!app) {
        if (error) {
            const hidden = error.http === 403 || error.http === 404;
            return (
                <div class="page">
                    <h1 class="sr">{path.name}</h1>
                    {hidden ? (
                        <Blank icon="search" title={path.name} testid="no-app" action={<a class="btn" href={href('/applications')}>Go to applications</a>}>
                            This application does not exist, or you may not see it: you need applications, get. {error.message}
                        </Blank>
                    ) : (
                        <Problem title={`${path.name} could not be loaded.`} message={error.message} retry={() => store.app.retry()} />
                    )}
                </div>
            );
        }
        return (
            <div class="page">
                <h1 class="sr">{path.name}</h1>
                <Bones />
            </div>
        );
    }

    const ctx: AppContext = { ref: path, store, app };
    const close = (...keys: string[]) => setParams(Object.fromEntries(keys.map(k => [k, null])));
    const node = readNode(param('node'));
    const deploy = param('deploy');
    const running = app.operation !== undefined || isRunning(app.status?.operationState?.phase ?? '');
    return (
        <div class="details">
            <Header ctx={ctx} running={running} near={near} goto={goto} view={view} setView={setView} />
            <StatusCards ctx={ctx} running={running} />
            <Guard what={view === 'tree' ? 'The tree' : 'The list'} key={view}>
                {view === 'tree' ? <TreeView ctx={ctx} /> : <ListView ctx={ctx} />}
            </Guard>
            {param('operation') === 'true' && <OperationPanel ctx={ctx} onClose={() => close('operation')} />}
            {params.value.has('rollback') && <HistoryPanel ctx={ctx} onClose={() => close('rollback')} />}
            {param('conditions') === 'true' && <ConditionsPanel ctx={ctx} onClose={() => close('conditions')} />}
            {node && (
                <Guard what="The panel" key={param('node')}>
                    <ResourcePanel ctx={ctx} node={node} onClose={() => close('node', 'tab')} />
                </Guard>
            )}
            {deploy && <SyncPanel app={path} preset={deploy} onClose={() => close('deploy', 'revision')} onDone={() => setParams({ deploy: null, revision: null, operation: null })} />}
            {param('deleteApp') && <DeleteApp app={path} onClose={() => close('deleteApp')} onDone={() => close('deleteApp')} />}
        </div>
    );
}
