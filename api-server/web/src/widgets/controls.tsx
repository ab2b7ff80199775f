// Buttons, menus and small pieces of text with behaviour.

import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { IconName } from '../icons/sprite';
import { absolute, age, ago, duration, parseTime } from '../lib/time';
import { fastClock, slowClock } from '../store/clock';
import { toast } from '../store/toasts';
import { Icon } from './icon';

export interface ButtonProps {
    icon?: IconName;
    label: string;
    // Only the icon is shown; the label names it.
    bare?: boolean;
    kind?: 'primary' | 'danger' | 'quiet';
    tiny?: boolean;
    // Why it cannot be used; undefined if it can.
    disabled?: string | false;
    busy?: boolean;
    pressed?: boolean;
    title?: string;
    testid?: string;
    type?: 'button' | 'submit';
    onClick?: (e: MouseEvent) => void;
}

export function Button(p: ButtonProps) {
    const off = p.busy || (p.disabled !== undefined && p.disabled !== false);
    const cls = ['btn', p.kind, p.tiny && 'tiny', p.bare && 'icon-only'].filter(Boolean).join(' ');
    return (
        <button
            type={p.type ?? 'button'}
            class={cls}
            aria-disabled={off || undefined}
            aria-pressed={p.pressed}
            aria-busy={p.busy || undefined}
            aria-label={p.bare ? p.label : undefined}
            title={p.disabled || p.title || (p.bare ? p.label : undefined)}
            data-testid={p.testid}
            onClick={e => {
                if (off) e.preventDefault();
                else p.onClick?.(e);
            }}
        >
            {p.busy ? <Icon name="running" class="spin" /> : p.icon && <Icon name={p.icon} />}
            {!p.bare && p.label}
        </button>
    );
}

export interface MenuEntry {
    label: string;
    hint?: string;
    icon?: IconName;
    danger?: boolean;
    checked?: boolean;
    disabled?: string;
    href?: string;
    external?: boolean;
    // A line of text between the entries.
    note?: boolean;
    run?: () => void;
}

// `null` entries are separators.
export type MenuEntries = (MenuEntry | null)[];

type MenuButtonProps = Omit<ButtonProps, 'onClick'> & {
    entries: () => MenuEntries;
    chevron?: boolean;
    // Instead of icon and label, under another class.
    face?: ComponentChildren;
    class?: string;
    state?: string;
};

export function MenuButton(p: MenuButtonProps) {
    const [open, setOpen] = useState(false);
    const ref = useRef<HTMLSpanElement>(null);
    return (
        <span class="menu-wrap" ref={ref}>
            <button
                type="button"
                class={p.class ?? ['btn', p.kind, p.tiny && 'tiny', p.bare && 'icon-only'].filter(Boolean).join(' ')}
                data-state={p.state}
                aria-haspopup="menu"
                aria-expanded={open}
                aria-label={p.bare || p.face ? p.label : undefined}
                title={p.disabled || p.title || (p.bare ? p.label : undefined)}
                aria-disabled={p.disabled ? true : undefined}
                data-testid={p.testid}
                onClick={() => !p.disabled && setOpen(!open)}
            >
                {p.face ?? (
                    <>
                        {p.icon && <Icon name={p.icon} />}
                        {!p.bare && p.label}
                    </>
                )}
                {p.chevron && <Icon name="down" />}
            </button>
            {open && (
                <Menu
                    label={p.label}
                    entries={p.entries()}
                    at={ref.current!.getBoundingClientRect()}
                    close={() => {
                        setOpen(false);
                        ref.current?.querySelector('button')?.focus();
                    }}
                />
            )}
        </span>
    );
}

export function Menu({ label, entries, at, close }: { label: string; entries: MenuEntries; at: { left: number; right: number; top: number; bottom: number }; close: () => void }) {
    const ref = useRef<HTMLDivElement>(null);
    useLayoutEffect(() => {
        const m = ref.current!;
        const w = m.offsetWidth;
        const h = m.offsetHeight;
        m.style.left = `${Math.max(8, Math.min(at.left, innerWidth - w - 8))}px`;
        m.style.top = at.bottom + 4 + h > innerHeight && at.top - h - 4 > 0 ? `${at.top - h - 4}px` : `${Math.min(at.bottom + 4, innerHeight - h - 8)}px`;
        m.querySelector<HTMLElement>('[role^=menuitem]')?.focus();
    }, []);
    useEffect(() => {
        const away = (e: Event) => {
            if (!ref.current?.contains(e.target as Node)) close();
        };
        addEventListener('pointerdown', away, true);
        return () => removeEventListener('pointerdown', away, true);
    }, []);
    const onKey = (e: KeyboardEvent) => {
        const items = [...ref.current!.querySelectorAll<HTMLElement>('[role^=menuitem]')];
        const i = items.indexOf(document.activeElement as HTMLElement);
        const to = (n: number) => items[(n + items.length) % items.length]?.focus();
        if (e.key === 'ArrowDown') to(i + 1);
        else if (e.key === 'ArrowUp') to(i - 1);
        else if (e.key === 'Home') to(0);
        else if (e.key === 'End') to(items.length - 1);
        else if (e.key === 'Escape' || e.key === 'Tab') close();
        else return;
        e.preventDefault();
        e.stopPropagation();
    };
    return (
        <div class="menu" role="menu" aria-label={label} ref={ref} onKeyDown={onKey} onClick={e => e.stopPropagation()}>
            {entries.map((m, i) => {
                if (!m) return <hr key={i} />;
                return m.note ? <p key={i}>{m.label}</p> : <MenuRow key={i} entry={m} close={close} />;
            })}
        </div>
    );
}

function MenuRow({ entry: m, close }: { entry: MenuEntry; close: () => void }) {
    const inner = (
        <>
            {m.checked !== undefined ? <Icon name={m.checked ? 'check' : 'minus'} class={m.checked ? '' : 'off'} /> : m.icon && <Icon name={m.icon} />}
            <span>
                {m.label}
                {m.hint && <small>{m.hint}</small>}
            </span>
        </>
    );
    if (m.href) {
        const out = m.external ? { target: '_blank', rel: 'noopener noreferrer', 'data-external': '' } : {};
        return (
            <a role="menuitem" tabIndex={-1} href={m.href} {...out} onClick={close}>
                {inner}
            </a>
        );
    }
    return (
        <button
            type="button"
            role={m.checked !== undefined ? 'menuitemcheckbox' : 'menuitem'}
            aria-checked={m.checked}
            tabIndex={-1}
            class={m.danger ? 'danger' : undefined}
            aria-disabled={m.disabled ? true : undefined}
            title={m.disabled}
            onClick={() => {
                if (m.disabled) return;
                close();
                m.run?.();
            }}
        >
            {inner}
        </button>
    );
}

export function copyText(text: string, what: string): void {
    navigator.clipboard?.writeText(text).then(
        () => toast('success', `Copied ${what}`),
        () => toast('warning', 'The browser did not allow copying.'),
    );
}

export function Copy({ text, what }: { text: string; what: string }) {
    return (
        <button type="button" class="copy" aria-label={`Copy ${what}`} title={`Copy ${what}`} onClick={() => copyText(text, what)}>
            <Icon name="copy" />
        </button>
    );
}

export function Ago({ iso }: { iso: string | undefined }) {
    if (!iso || Number.isNaN(parseTime(iso))) return <span class="muted">–</span>;
    return (
        <time dateTime={iso} title={absolute(iso)}>
            {ago(iso, slowClock.value)}
        </time>
    );
}

// The same in one unit, for the cells of tables.
export function Age({ iso }: { iso: string | undefined }) {
    if (!iso || Number.isNaN(parseTime(iso))) return <span class="muted">–</span>;
    return (
        <time dateTime={iso} title={absolute(iso)}>
            {age(iso, slowClock.value)}
        </time>
    );
}

// The time between two moments; without an end it ticks.
export function Took({ from, to }: { from: string | undefined; to?: string }) {
    const a = parseTime(from);
    if (Number.isNaN(a)) return <span class="muted">–</span>;
    return <span>{duration((to ? parseTime(to) : fastClock.value) - a)}</span>;
}

export function External({ href, children }: { href: string; children: ComponentChildren }) {
    return (
        <a href={href} target="_blank" rel="noopener noreferrer" data-external="">
            {children}
        </a>
    );
}

export function Check({ label, hint, checked, onChange, disabled, testid }: {
    label: string;
    hint?: string;
    checked: boolean;
    onChange: (v: boolean) => void;
    disabled?: boolean;
    testid?: string;
}) {
    return (
        <label class="check">
            <input type="checkbox" checked={checked} disabled={disabled} data-testid={testid} onChange={e => onChange(e.currentTarget.checked)} />
            <span>
                {label}
                {hint && <small>{hint}</small>}
            </span>
        </label>
    );
}

export function Tabs<T extends string>({ tabs, current, onPick, label }: {
    tabs: { id: T; title: string; badge?: ComponentChildren }[];
    current: T;
    onPick: (id: T) => void;
    label: string;
}) {
    const onKey = (e: KeyboardEvent) => {
        const i = tabs.findIndex(t => t.id === current);
        const step = e.key === 'ArrowRight' ? 1 : e.key === 'ArrowLeft' ? -1 : 0;
        if (step === 0) return;
        e.preventDefault();
        const next = tabs[(i + step + tabs.length) % tabs.length]!;
        onPick(next.id);
        const bar = e.currentTarget as HTMLElement;
        requestAnimationFrame(() => bar.querySelector<HTMLElement>('[aria-selected=true]')?.focus());
    };
    return (
        <div class="tabs" role="tablist" aria-label={label} onKeyDown={onKey}>
            {tabs.map(t => (
                <button
                    key={t.id}
                    type="button"
                    role="tab"
                    aria-selected={t.id === current}
                    tabIndex={t.id === current ? 0 : -1}
                    data-testid={`tab-${t.id}`}
                    onClick={() => onPick(t.id)}
                >
                    {t.title}
                    {t.badge}
                </button>
            ))}
        </div>
    );
}
