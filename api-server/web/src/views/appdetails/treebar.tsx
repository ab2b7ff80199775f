// Filters over the resources of an application, kept in the address as Argo CD writes them.

import type { ComponentChildren } from 'preact';
import { useMemo } from 'preact/hooks';
import { readFilter, writeFilter, isProblem, type ResourceFilter, type TreeItem } from '../../lib/treemodel';
import { param, setParams } from '../../routes/router';
import { useCommands } from '../../routes/keys';
import { Button, MenuButton, type MenuEntries } from '../../widgets/controls';
import { Icon } from '../../widgets/icon';
import { useRef } from 'preact/hooks';

const HEALTHS = ['Healthy', 'Progressing', 'Degraded', 'Suspended', 'Missing', 'Unknown'];
const SYNCS = ['Synced', 'OutOfSync'];

interface Props {
    items: TreeItem[];
    onlyProblems: boolean;
    setOnlyProblems: (v: boolean) => void;
    children?: ComponentChildren;
}

export function ResourceFilterBar({ items, onlyProblems, setOnlyProblems, children }: Props) {
    const input = useRef<HTMLInputElement>(null);
    const text = param('resource');
    const f = useMemo(() => readFilter(text), [text]);
    const kinds = useMemo(() => [...new Set(items.map(i => i.node.kind))].sort(), [items]);
    const namespaces = useMemo(() => [...new Set(items.map(i => i.node.namespace ?? ''))].filter(n => n).sort(), [items]);
    const problems = useMemo(() => items.filter(isProblem).length, [items]);
    const orphans = useMemo(() => items.some(i => i.orphaned), [items]);
    const orphaned = param('orphaned') === 'true';
    const set = (change: Partial<ResourceFilter>) => setParams({ resource: writeFilter({ ...f, ...change }) });
    useCommands([
        { keys: '/', title: 'Filter resources by name', group: 'Application', run: () => input.current?.select() },
        { keys: 'f', title: 'Only problems', group: 'Application', run: () => setOnlyProblems(!onlyProblems) },
    ]);
    const menu = (key: 'kind' | 'health' | 'sync' | 'namespace', title: string, values: string[]) => {
        const entries = (): MenuEntries => [
            ...values.slice(0, 60).map(v => ({
                label: v,
                checked: f[key].includes(v),
                run: () => set({ [key]: f[key].includes(v) ? f[key].filter(x => x !== v) : [...f[key], v] }),
            })),
            ...(f[key].length > 0 ? [null, { label: 'Clear', run: () => set({ [key]: [] }) }] : []),
        ];
        if (values.length < 2 && f[key].length === 0) return null;
        return <MenuButton tiny chevron label={f[key].length > 0 ? `${title} (${f[key].length})` : title} pressed={f[key].length > 0} entries={entries} testid={`filter-${key}`} />;
    };
    const any = text !== '' || onlyProblems;
    return (
        <div class="tree-bar" role="group" aria-label="Filter resources">
            <div class="search small-search">
                <Icon name="search" />
                <input
                    ref={input}
                    class="input"
                    type="search"
                    placeholder="Name, * for any"
                    aria-label="Filter by name"
                    value={f.name[0] ?? ''}
                    onInput={e => set({ name: e.currentTarget.value ? [e.currentTarget.value.replace(/,/g, '')] : [] })}
                />
            </div>
            {menu('kind', 'Kind', kinds)}
            {menu('health', 'Health', HEALTHS)}
            {menu('sync', 'Sync', SYNCS)}
            {menu('namespace', 'Namespace', namespaces)}
            <Button tiny icon="warning" label={`Only problems${problems > 0 ? ` (${problems})` : ''}`} pressed={onlyProblems} onClick={() => setOnlyProblems(!onlyProblems)} testid="only-problems" />
            {(orphans || orphaned) && <Button tiny label="Orphaned" pressed={orphaned} onClick={() => setParams({ orphaned: orphaned ? null : 'true' })} />}
            {any && (
                <Button
                    tiny
                    kind="quiet"
                    label="Clear filters"
                    onClick={() => {
                        setOnlyProblems(false);
                        setParams({ resource: null });
                    }}
                />
            )}
            <span class="grow" />
            {children}
        </div>
    );
}
