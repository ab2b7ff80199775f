// The frame around every page: rail, top bar, banner, live regions.

import type { ComponentChildren } from 'preact';
import { lazy } from '../lib/lazy';
import { liveState, live } from '../live/browser';
import type { LiveState } from '../live/contract';
import { PRODUCT } from '../product';
import { safeHref } from '../lib/url';
import { BASE } from '../rest/http';
import { appHref, appPath, href, navigate, path } from '../routes/router';
import { useCommands } from '../routes/keys';
import { fastClock } from '../store/clock';
import { prefs, setPref, type Prefs } from '../store/prefs';
import { settings, user, version } from '../store/session';
import { assertive, polite } from '../store/toasts';
import { signal } from '@preact/signals';
import { Button, MenuButton, type MenuEntries } from '../widgets/controls';
import { Icon } from '../widgets/icon';
import type { IconName } from '../icons/sprite';
import { Toasts } from '../widgets/states';

const Palette = lazy(() => import('./palette').then(m => m.default));
const VersionPanel = lazy(() => import('./pages').then(m => m.VersionPanel));

export const paletteOpen = signal(false);
const versionOpen = signal(false);

interface RailItem {
    to: string;
    icon: IconName;
    label: string;
}

const RAIL: RailItem[] = [
    { to: '/applications', icon: 'apps', label: 'Applications' },
    { to: '/settings', icon: 'gear', label: 'Settings' },
    { to: '/user-info', icon: 'user', label: 'User info' },
    { to: '/help', icon: 'help', label: 'Help' },
];

function Rail() {
    return (
        <nav class="rail" aria-label="Main">
            <a class="brand" href={href('/applications')} aria-label={`${PRODUCT}, applications`}>
                <Icon name="k-application" />
                <span class="label">{PRODUCT}</span>
            </a>
            {RAIL.map(i => (
                <a key={i.to} class="item" href={href(i.to)} aria-current={path.value.startsWith(i.to) ? 'page' : undefined} title={i.label}>
                    <Icon name={i.icon} />
                    <span class="label">{i.label}</span>
                </a>
            ))}
            <span class="spacer" />
            <button type="button" class="item version" title="Server version" onClick={() => (versionOpen.value = true)}>
                <Icon name="info" />
                <span class="label ellipsis">{version.value.Version || 'Version'}</span>
            </button>
            <button
                type="button"
                class="item collapse"
                title={prefs.value.railCollapsed ? 'Widen the navigation' : 'Narrow the navigation'}
                onClick={() => setPref('railCollapsed', !prefs.peek().railCollapsed)}
            >
                <Icon name={prefs.value.railCollapsed ? 'right' : 'left'} />
                <span class="label">Collapse</span>
            </button>
        </nav>
    );
}

const PAGE_NAMES: [RegExp, string][] = [
    [/^\/applications/, 'Applications'],
    [/^\/settings/, 'Settings'],
    [/^\/user-info/, 'User info'],
    [/^\/help/, 'Help'],
];

function Crumbs() {
    const app = appPath(path.value);
    const page = PAGE_NAMES.find(([re]) => re.test(path.value))?.[1] ?? 'Not found';
    if (!app) {
        return (
            <nav class="crumbs" aria-label="Breadcrumbs">
                <span aria-current="page">{page}</span>
            </nav>
        );
    }
    return (
        <nav class="crumbs" aria-label="Breadcrumbs">
            <a href={href('/applications')}>Applications</a>
            <Icon name="right" />
            <a class="ellipsis" href={href(appHref(app))} aria-current="page">
                {settings.value.appsInAnyNamespaceEnabled && app.namespace ? `${app.namespace}/${app.name}` : app.name}
            </a>
        </nav>
    );
}

function liveText(s: LiveState): string {
    switch (s.kind) {
        case 'live':
            return 'Live';
        case 'limited':
            return 'Limited';
        case 'offline':
            return 'Offline';
        case 'stopped':
            return 'Stopped';
        default: {
            if (s.retryAt === undefined) return s.kind === 'connecting' ? 'Connecting' : 'Reconnecting';
            // Reading the clock makes the seconds tick.
            void fastClock.value;
            const left = Math.max(0, Math.ceil((s.retryAt - performance.now()) / 1000));
            return left > 0 ? `Reconnecting ${left} s` : 'Reconnecting';
        }
    }
}

const LIVE_HINT: Record<string, string> = {
    live: 'Everything you see is up to date.',
    limited: 'A proxy between you and the server refuses WebSockets. Updates arrive every few seconds.',
    offline: 'Your device has no network.',
    connecting: 'Connecting to the server.',
    reconnecting: 'The connection was lost. What you see may be old.',
    stopped: 'The connection was ended.',
};

function LiveDot() {
    const s = liveState.value;
    const text = liveText(s);
    const entries = (): MenuEntries => [
        { label: s.reason || LIVE_HINT[s.kind]!, note: true },
        null,
        s.reload ? { label: 'Reload the page', icon: 'refresh', run: () => location.reload() } : { label: 'Check now', icon: 'refresh', run: () => live.poke() },
    ];
    const face = (
        <>
            <i />
            <span class="text">{text}</span>
        </>
    );
    return <MenuButton class="live" label={`Connection: ${text}`} face={face} entries={entries} state={s.kind} title={LIVE_HINT[s.kind]} testid="live" />;
}

const THEMES: { id: Prefs['theme']; icon: IconName; label: string }[] = [
    { id: 'auto', icon: 'auto', label: 'Theme: as the system' },
    { id: 'light', icon: 'sun', label: 'Theme: light' },
    { id: 'dark', icon: 'moon', label: 'Theme: dark' },
];

function ThemeButton() {
    const i = THEMES.findIndex(t => t.id === prefs.value.theme);
    const next = THEMES[(i + 1) % THEMES.length]!;
    return <Button kind="quiet" bare icon={THEMES[i]!.icon} label={THEMES[i]!.label} onClick={() => setPref('theme', next.id)} testid="theme" />;
}

function UserMenu() {
    const u = user.value;
    if (!u?.loggedIn) {
        return (
            <a class="btn" href={href('/login')} data-external="">
                Log in
            </a>
        );
    }
    const entries = (): MenuEntries => [
        { label: u.username || 'Signed in', hint: u.iss, icon: 'user', href: href('/user-info') },
        { label: 'Appearance', icon: 'gear', href: href('/settings') },
        null,
        { label: 'Log out', icon: 'external', run: () => location.assign(new URL('auth/logout', BASE)) },
    ];
    return <MenuButton kind="quiet" bare icon="user" label={`User menu, ${u.username ?? ''}`} entries={entries} testid="user-menu" />;
}

function Banner() {
    const s = settings.value;
    const key = `dash.banner.${s.uiBannerContent}`;
    if (!s.uiBannerContent || dismissed.value === s.uiBannerContent || (!s.uiBannerPermanent && storedFlag(key))) return null;
    const link = safeHref(s.uiBannerURL, BASE);
    return (
        <div class="banner" role="note">
            <Icon name="info" />
            <span class="grow">
                {link ? (
                    <a href={link} target="_blank" rel="noopener noreferrer">
                        {s.uiBannerContent}
                    </a>
                ) : (
                    s.uiBannerContent
                )}
            </span>
            {!s.uiBannerPermanent && (
                <>
                    <Button tiny kind="quiet" label="Dismiss" onClick={() => (dismissed.value = s.uiBannerContent)} />
                    <Button
                        tiny
                        kind="quiet"
                        label="Don’t show again"
                        onClick={() => {
                            try {
                                localStorage.setItem(key, '1');
                            } catch {
                                // Then it is shown again on the next visit.
                            }
                            dismissed.value = s.uiBannerContent;
                        }}
                    />
                </>
            )}
        </div>
    );
}

const dismissed = signal<string | undefined>(undefined);

function storedFlag(key: string): boolean {
    try {
        return localStorage.getItem(key) !== null;
    } catch {
        return false;
    }
}

export function Shell({ children }: { children: ComponentChildren }) {
    useCommands([
        { keys: 'Ctrl+k', title: 'Find applications, pages and commands', group: 'Everywhere', run: () => (paletteOpen.value = !paletteOpen.peek()), always: true },
        { keys: 'g a', title: 'Go to applications', group: 'Everywhere', run: () => navigate('/applications') },
        { keys: 'g s', title: 'Go to settings', group: 'Everywhere', run: () => navigate('/settings') },
        { keys: 'g u', title: 'Go to user info', group: 'Everywhere', run: () => navigate('/user-info') },
        { keys: '?', title: 'Keyboard help', group: 'Everywhere', run: () => navigate('/help') },
    ]);
    const position = settings.value.uiBannerPosition ?? '';
    return (
        <div class={prefs.value.railCollapsed ? 'shell narrow-rail' : 'shell'}>
            <a class="skip" href="#main" data-external="" onClick={e => (e.preventDefault(), document.getElementById('main')?.focus())}>
                Skip to content
            </a>
            <Rail />
            <header class="top">
                <Crumbs />
                <button type="button" class="find" title="Find applications, pages and commands" onClick={() => (paletteOpen.value = true)} data-testid="find">
                    <Icon name="search" />
                    <span>Find</span>
                    <kbd aria-hidden="true">Ctrl K</kbd>
                </button>
                <LiveDot />
                <ThemeButton />
                <UserMenu />
            </header>
            <main class="main" id="main" tabIndex={-1}>
                {position !== 'bottom' && <Banner />}
                {children}
                {(position === 'bottom' || position === 'both') && <Banner />}
            </main>
            <Toasts />
            <div class="sr" aria-live="polite">
                {polite.value}
            </div>
            <div class="sr" aria-live="assertive">
                {assertive.value}
            </div>
            {paletteOpen.value && <Palette onClose={() => (paletteOpen.value = false)} />}
            {versionOpen.value && <VersionPanel onClose={() => (versionOpen.value = false)} />}
        </div>
    );
}
