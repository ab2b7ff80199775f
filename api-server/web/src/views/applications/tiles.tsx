import { memo } from '../../lib/memo';
import { appHref, href } from '../../routes/router';
import { prefetch } from '../../store/app';
import { refresh } from '../../store/actions';
import { apps } from '../../store/apps';
import { clusterLabel, isRunning, lastSync } from '../../store/appspec';
import { Ago, Button, MenuButton, Took } from '../../widgets/controls';
import { Icon } from '../../widgets/icon';
import { HealthStatus, healthLook, OperationStatus, SyncStatus } from '../../widgets/status';
import { appMenu, displayName, Found, isRefreshing, kindOfSource, openSync, revisionText, SOURCE_TITLES, SourceText, Star, syncDenied } from './parts';

export const TILE_HEIGHT = 172;

let hover: ReturnType<typeof setTimeout> | undefined;

// Rest on an application for 80 ms and it is being loaded.
export function hoverProps(ref: { project: string; name: string; namespace: string }) {
    const arm = () => {
        clearTimeout(hover);
        hover = setTimeout(() => {
            prefetch(ref);
            syncDenied(ref);
        }, 80);
    };
    return { onPointerEnter: arm, onPointerLeave: () => clearTimeout(hover), onFocus: arm };
}

interface Props {
    id: string;
    selected: boolean;
    cursor: boolean;
    onSelect: (id: string, e: MouseEvent) => void;
}

export const Tile = memo(function Tile({ id, selected, cursor, onSelect }: Props) {
    const row = apps.row(id)?.value;
    if (!row) return null;
    const name = displayName(row);
    const kind = kindOfSource(row);
    return (
        <article class={`app-tile ${healthLook(row.health).tone}${selected ? ' selected' : ''}`} data-key={id} data-testid="app" aria-label={row.name}>
            <div class="head">
                <input type="checkbox" class="box" checked={selected} aria-label={`Select ${row.name}`} onClick={e => onSelect(id, e)} />
                <Icon name={kind} label={SOURCE_TITLES[kind]} />
                <a class="name ellipsis" href={href(appHref(row))} title={name} tabIndex={cursor ? 0 : -1} data-cursor={cursor || undefined} {...hoverProps(row)}>
                    <Found text={name} />
                </a>
                {row.notice && <Icon name="info" class="c-info" label="Has a notice" />}
                <Star id={id} name={row.name} />
            </div>
            <div class="states">
                <HealthStatus value={row.health} />
                <SyncStatus value={row.sync} />
                {(isRunning(row.op) || row.op === 'Failed' || row.op === 'Error') && <OperationStatus value={row.op} />}
                {isRunning(row.op) && row.opStarted && !row.opFinished && (
                    <span class="muted">
                        <Took from={row.opStarted} />
                    </span>
                )}
            </div>
            <dl>
                <dt>Source</dt>
                <dd>
                    <SourceText row={row} />
                </dd>
                <dt>Revision</dt>
                <dd class="ellipsis">{revisionText(row)}</dd>
                <dt>Target</dt>
                <dd class="ellipsis" title={`${clusterLabel(row.dest)} ${row.dest.namespace ?? ''}`}>
                    {row.dest.name || clusterLabel(row.dest).split(' ')[0]} <span class="muted">{row.dest.namespace}</span>
                </dd>
            </dl>
            <div class="foot">
                <span class="muted small ellipsis">
                    {row.project} · {lastSync(row) ? <Ago iso={lastSync(row)} /> : 'never synced'}
                </span>
                <Button tiny kind="quiet" bare icon="sync" label={`Sync ${row.name}`} onClick={() => openSync(row)} />
                <Button tiny kind="quiet" bare icon="refresh" label={`Refresh ${row.name}`} busy={isRefreshing(row)} onClick={() => void refresh(row).catch(() => {})} />
                <MenuButton key={id} tiny kind="quiet" bare icon="more" label={`More for ${row.name}`} entries={() => appMenu(row)} />
            </div>
        </article>
    );
});
