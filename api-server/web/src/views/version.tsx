import { version } from '../store/session';
import { Button, copyText } from '../widgets/controls';
import { Dialog } from '../widgets/overlay';

const ORDER = ['Version', 'BuildDate', 'GitCommit', 'GoVersion', 'Compiler', 'Platform', 'KustomizeVersion', 'HelmVersion', 'KubectlVersion', 'JsonnetVersion'];

export default function VersionPanel({ onClose }: { onClose: () => void }) {
    const v = version.value;
    const rows = ORDER.filter(k => v[k]);
    return (
        <Dialog
            title="Server version"
            onClose={onClose}
            footer={<Button icon="copy" label="Copy JSON" onClick={() => copyText(JSON.stringify(v, null, 2), 'the versions')} />}
        >
            {rows.length === 0 ? (
                <p class="muted">The server did not tell its version.</p>
            ) : (
                <dl class="facts">
                    {rows.map(k => (
                        <>
                            <dt>{k.replace(/(?<=[a-z])(?=[A-Z])/g, ' ').replace('Version', k === 'Version' ? 'Version' : 'version')}</dt>
                            <dd class="mono">{v[k]}</dd>
                        </>
                    ))}
                </dl>
            )}
        </Dialog>
    );
}
