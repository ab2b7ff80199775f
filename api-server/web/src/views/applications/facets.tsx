// The filter panel: facets with live counts, and the chips of what is active.

import { useSignal } from '@preact/signals';
import { appFacets, HEALTH_ORDER } from '../../store/appspec';
import { parseRequirement } from '../../lib/selector';
import { dropSearch, facetCounts, listQuery } from '../../store/apps';
import { isFavourite } from '../../store/prefs';
import { activeFacets, facetParam, FACET_KEYS } from '../../routes/listquery';
import { setParams } from '../../routes/router';
import type { Facet } from '../../lib/listengine';
import type { AppRow } from '../../types';
import { Button } from '../../widgets/controls';
import { Icon } from '../../widgets/icon';
import { HealthStatus, SyncStatus } from '../../widgets/status';

const FACETS = appFacets(isFavourite);
const FEW = 8;
const OPEN_FIRST = new Set(['showFavorites', 'health', 'sync', 'operation', 'proj', 'labels', 'autoSync']);

function wanted(facet: string): string[] {
    return listQuery.value.facets[facet] ?? [];
}

export function setFacet(facet: string, values: string[]): void {
    setParams({ [facet]: facetParam(facet, values) });
}

export function removeFacet(facet: string, value: string): void {
    setFacet(
        facet,
        wanted(facet).filter(v => v !== value),
    );
}

export function clearAll(): void {
    dropSearch();
    setParams(Object.fromEntries([...FACET_KEYS, 'search', 'regex'].map(k => [k, null])));
}

// Unchecked → included → excluded → unchecked; a plain click includes or clears, Alt or the second button excludes.
function toggle(facet: string, value: string, exclude: boolean): void {
    const now = wanted(facet).filter(v => v !== value && v !== `!${value}`);
    const had = wanted(facet).includes(exclude ? `!${value}` : value);
    setFacet(facet, had ? now : [...now, exclude ? `!${value}` : value]);
}

function ordered(f: Facet<AppRow>, counts: ReadonlyMap<string, number>): string[] {
    const active = wanted(f.id).map(v => (v.startsWith('!') ? v.slice(1) : v));
    if (f.order) return f.order;
    const all = new Set([...counts.keys(), ...(f.match === 'selector' ? [] : active)]);
    return [...all].sort((a, b) => (counts.get(b) ?? 0) - (counts.get(a) ?? 0) || a.localeCompare(b));
}

function Value({ facet, value, count }: { facet: Facet<AppRow>; value: string; count: number }) {
    const included = wanted(facet.id).includes(value);
    const excluded = wanted(facet.id).includes(`!${value}`);
    const label =
        facet.id === 'health' ? <HealthStatus value={value} /> : facet.id === 'sync' ? <SyncStatus value={value} /> : facet.id === 'showFavorites' ? 'Favourites only' : value;
    const selector = facet.match === 'selector';
    const negated = selector ? value.replace('=', '!=') : value;
    const isOut = selector ? wanted(facet.id).includes(negated) : excluded;
    const out = () => {
        if (!selector) return toggle(facet.id, value, true);
        const rest = wanted(facet.id).filter(v => v !== value && v !== negated);
        setFacet(facet.id, isOut ? rest : [...rest, negated]);
    };
    return (
        <li class={isOut ? 'facet-value out' : 'facet-value'}>
            <label>
                <input type="checkbox" class="box" checked={included} onChange={() => toggle(facet.id, value, false)} />
                <span class="ellipsis" title={value}>
                    {label}
                </span>
                <span class="count">{count.toLocaleString('en-US')}</span>
            </label>
            {facet.id !== 'showFavorites' && (
                <button type="button" class="not" aria-pressed={isOut} aria-label={`Exclude ${value}`} title={isOut ? 'Excluded' : 'Exclude'} onClick={out}>
                    <Icon name="minus" />
                </button>
            )}
        </li>
    );
}

function TypedFilter({ facet }: { facet: Facet<AppRow> }) {
    const bad = useSignal('');
    const add = (input: HTMLInputElement) => {
        const text = input.value.trim();
        if (text === '') return;
        if (facet.match === 'selector' && !parseRequirement(text)) {
            bad.value = 'Use k, !k, k=v, k!=v, k in (a,b), k notin (a,b)';
            return;
        }
        bad.value = '';
        if (!wanted(facet.id).includes(text)) setFacet(facet.id, [...wanted(facet.id), text]);
        input.value = '';
    };
    const hint = facet.match === 'selector' ? 'key=value' : 'name, * or !name';
    return (
        <div class="facet-type">
            <input
                class="input"
                placeholder={hint}
                aria-label={`${facet.title} filter`}
                aria-invalid={bad.value !== ''}
                onKeyDown={e => e.key === 'Enter' && add(e.currentTarget)}
                onBlur={e => add(e.currentTarget)}
            />
            {bad.value && <span class="wrong">{bad.value}</span>}
        </div>
    );
}

function FacetGroup({ facet }: { facet: Facet<AppRow> }) {
    const open = useSignal(OPEN_FIRST.has(facet.id) || wanted(facet.id).length > 0);
    const more = useSignal(false);
    const counts = facetCounts(facet.id);
    const values = ordered(facet, counts);
    if (facet.id === 'annotations' && values.length === 0 && wanted(facet.id).length === 0) return null;
    const shown = more.value || facet.order ? values : values.slice(0, FEW);
    const typed = facet.match !== 'exact' || values.length > FEW;
    return (
        <section class="facet" data-testid={`facet-${facet.id}`}>
            <button type="button" class="facet-title" aria-expanded={open.value} onClick={() => (open.value = !open.value)}>
                <Icon name={open.value ? 'down' : 'right'} />
                {facet.title}
                {wanted(facet.id).length > 0 && <span class="badge">{wanted(facet.id).length}</span>}
            </button>
            {open.value && (
                <>
                    {typed && <TypedFilter facet={facet} />}
                    <ul>
                        {(facet.id === 'showFavorites' ? ['true'] : shown).map(v => (
                            <Value key={v} facet={facet} value={v} count={counts.get(v) ?? 0} />
                        ))}
                    </ul>
                    {!facet.order && values.length > FEW && (
                        <Button tiny kind="quiet" label={more.value ? 'Fewer' : `${(values.length - FEW).toLocaleString('en-US')} more`} onClick={() => (more.value = !more.value)} />
                    )}
                </>
            )}
        </section>
    );
}

export function Facets() {
    return (
        <aside class="facets" aria-label="Filters">
            {FACETS.map(f => (
                <FacetGroup key={f.id} facet={f} />
            ))}
        </aside>
    );
}

export function Chips() {
    const active = activeFacets(listQuery.value);
    if (active.length === 0) return null;
    const title = (id: string) => FACETS.find(f => f.id === id)?.title ?? id;
    return (
        <div class="chips" data-testid="chips">
            {active.map(({ facet, value }) => (
                <span class="chip" key={`${facet} ${value}`}>
                    <span class="ellipsis">
                        <span class="muted">{title(facet)}:</span> {facet === 'showFavorites' ? 'yes' : value.startsWith('!') && facet !== 'labels' && facet !== 'annotations' ? `not ${value.slice(1)}` : value}
                    </span>
                    <button type="button" aria-label={`Remove filter ${title(facet)} ${value}`} onClick={() => removeFacet(facet, value)}>
                        <Icon name="close" />
                    </button>
                </span>
            ))}
            <Button tiny kind="quiet" label="Clear all" onClick={clearAll} testid="clear-all" />
        </div>
    );
}

// Proportional segments by health; each is a filter.
export function StatusBar() {
    const counts = facetCounts('health');
    const total = [...counts.values()].reduce((a, b) => a + b, 0);
    if (total === 0) return null;
    return (
        <div class="status-bar" role="group" aria-label="Applications by health">
            {[...HEALTH_ORDER].reverse().map(h => {
                const n = counts.get(h) ?? 0;
                if (n === 0) return null;
                return (
                    <button
                        key={h}
                        type="button"
                        class={`seg-${h.toLowerCase()}`}
                        style={{ flexGrow: n }}
                        aria-pressed={wanted('health').includes(h)}
                        aria-label={`${h}: ${n}`}
                        title={`${h}: ${n} of ${total}`}
                        onClick={() => toggle('health', h, false)}
                    />
                );
            })}
        </div>
    );
}
