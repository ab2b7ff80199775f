// What a panel shows instead of its content (specification V7), and the guard that keeps a broken panel from taking the
// page with it.

import { Component, type ComponentChildren } from 'preact';
import type { IconName } from '../icons/sprite';
import { dismiss, toasts, type Toast } from '../store/toasts';
import { Button, copyText } from './controls';
import { Icon } from './icon';

export function Blank({ icon, title, children, action, testid }: {
    icon: IconName;
    title: string;
    children?: ComponentChildren;
    action?: ComponentChildren;
    testid?: string;
}) {
    return (
        <div class="blank" data-testid={testid}>
            <Icon name={icon} />
            <h2>{title}</h2>
            {children && <p>{children}</p>}
            {action}
        </div>
    );
}

export function Problem({ title, message, retry, details }: { title: string; message?: string; retry?: () => void; details?: string }) {
    return (
        <div class="note bad" role="alert">
            <Icon name="warning" class="c-bad" />
            <div class="grow">
                <strong>{title}</strong>
                {message && <pre>{message}</pre>}
                <div class="acts">
                    {retry && <Button label="Retry" icon="refresh" tiny onClick={retry} />}
                    <Button label="Copy details" icon="copy" tiny kind="quiet" onClick={() => copyText(`${title}\n${message ?? ''}\n${details ?? ''}`.trim(), 'details')} />
                </div>
            </div>
        </div>
    );
}

export class Guard extends Component<{ what: string; children: ComponentChildren }, { error?: Error }> {
    static override getDerivedStateFromError(error: Error) {
        return { error };
    }

    override componentDidCatch(error: Error) {
        console.error(error);
    }

    override render() {
        const e = this.state.error;
        if (!e) return this.props.children;
        return <Problem title={`${this.props.what} could not be drawn.`} message={e.message} details={e.stack} retry={() => this.setState({ error: undefined })} />;
    }
}

export function Bones({ rows = 6 }: { rows?: number }) {
    return (
        <div class="bones" aria-hidden="true">
            {Array.from({ length: rows }, (_, i) => (
                <span key={i} class="bone" style={{ width: `${88 - ((i * 17) % 45)}%` }} />
            ))}
        </div>
    );
}

const TOAST_ICON = { success: ['succeeded', 'c-ok'], warning: ['warning', 'c-warn'], error: ['failed', 'c-bad'] } as const;

function ToastBox({ t }: { t: Toast }) {
    const [icon, tone] = TOAST_ICON[t.kind];
    return (
        <div class="toast" data-testid={`toast-${t.kind}`}>
            <Icon name={icon} class={tone} />
            <div class="grow">
                <strong>
                    {t.href ? <a href={t.href}>{t.title}</a> : t.title}
                    {t.count > 1 && ` (${t.count}×)`}
                </strong>
                {t.message && <div class="muted">{t.message}</div>}
                {t.kind === 'error' && (
                    <div class="acts">
                        {t.retry && (
                            <Button
                                label="Retry"
                                tiny
                                onClick={() => {
                                    dismiss(t.id);
                                    t.retry!();
                                }}
                            />
                        )}
                        <Button label="Copy" tiny kind="quiet" onClick={() => copyText([t.title, t.message].filter(Boolean).join('\n'), 'the message')} />
                    </div>
                )}
            </div>
            <Button icon="close" label="Dismiss" bare tiny kind="quiet" onClick={() => dismiss(t.id)} />
        </div>
    );
}

export function Toasts() {
    return (
        <div class="toasts" role="region" aria-label="Notifications">
            {toasts.value.map(t => (
                <ToastBox key={t.id} t={t} />
            ))}
        </div>
    );
}
