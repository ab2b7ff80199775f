// Screen S1.

import { useState } from 'preact/hooks';
import { PRODUCT } from '../product';
import { useTitle } from '../lib/title';
import { returnPath } from '../lib/url';
import { api } from '../rest/api';
import { BASE, messageOf } from '../rest/http';
import { href, param } from '../routes/router';
import { settings, user } from '../store/session';
import type { Settings } from '../types';
import { Button } from '../widgets/controls';
import { Icon } from '../widgets/icon';

function ssoLabel(s: Settings): string | undefined {
    const connectors = s.dexConfig?.connectors ?? [];
    if (connectors.length === 0 && !s.oidcConfig) return undefined;
    if (s.uiLoginButtonText) return s.uiLoginButtonText;
    if (s.oidcConfig?.name) return `Log in via ${s.oidcConfig.name}`;
    const named = connectors.find(c => c.id && c.id === s.dexAuthConnectorID) ?? (connectors.length === 1 ? connectors[0] : undefined);
    return named?.name ? `Log in via ${named.name}` : 'SSO Login';
}

export default function Login() {
    const [error, setError] = useState(param('has_sso_error') === 'true' ? 'Login failed.' : '');
    const [busy, setBusy] = useState(false);
    useTitle('Log in');
    const s = settings.value;
    const back = returnPath(param('return_url'), BASE) || '/applications';
    const sso = ssoLabel(s);

    const submit = async (e: Event) => {
        e.preventDefault();
        if (busy) return;
        const form = new FormData(e.currentTarget as HTMLFormElement);
        setBusy(true);
        setError('');
        try {
            await api.login(String(form.get('username')), String(form.get('password')));
            // A whole load: nothing of the session before it stays.
            location.assign(href(back));
        } catch (err) {
            setError(messageOf(err));
            setBusy(false);
        }
    };

    const returnUrl = new URL(href(back), BASE).href;
    return (
        <main class="login">
            <div class="login-card">
                <div class="brand">
                    <Icon name="k-application" />
                    <h1>{PRODUCT}</h1>
                </div>
                {sso && (
                    <a class="btn primary" href={href(`/auth/login?return_url=${encodeURIComponent(returnUrl)}`)} data-external="" data-testid="sso">
                        {sso}
                    </a>
                )}
                {sso && !s.userLoginsDisabled && <div class="or">or</div>}
                {!s.userLoginsDisabled && (
                    <form onSubmit={submit}>
                        <label class="field">
                            <span>Username</span>
                            <input class="input" name="username" autocomplete="username" autocapitalize="off" spellcheck={false} required autofocus={!sso} />
                        </label>
                        <label class="field">
                            <span>Password</span>
                            <input class="input" name="password" type="password" autocomplete="current-password" required />
                        </label>
                        {error && (
                            <div class="note bad" role="alert" data-testid="login-error">
                                <Icon name="warning" class="c-bad" />
                                <span>{error}</span>
                            </div>
                        )}
                        <Button type="submit" kind={sso ? undefined : 'primary'} label="Log in" busy={busy} />
                    </form>
                )}
                {s.userLoginsDisabled && error && (
                    <div class="note bad" role="alert">
                        {error}
                    </div>
                )}
                {s.userLoginsDisabled && !sso && <p class="muted">Login is disabled. Ask your administrator.</p>}
                {user.value?.loggedIn && (
                    <p class="small muted">
                        You are signed in as {user.value.username}. <a href={href(back)} data-external="">Continue</a>
                    </p>
                )}
            </div>
        </main>
    );
}
