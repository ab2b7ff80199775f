// Deleting an application needs its name, and says what happens to its resources.

import { useState } from 'preact/hooks';
import { api, type AppRef } from '../rest/api';
import { explain } from '../store/actions';
import { apps } from '../store/apps';
import { toast } from '../store/toasts';
import { Button } from '../widgets/controls';
import { Dialog } from '../widgets/overlay';
import { Problem } from '../widgets/states';

type How = 'foreground' | 'background' | 'keep';

const CHOICES: [How, string, string][] = [
    ['foreground', 'Delete its resources first', 'Foreground: the application goes when everything it made is gone'],
    ['background', 'Delete its resources afterwards', 'Background: the application goes at once, its resources follow'],
    ['keep', 'Keep its resources', 'Non-cascading: only the application is deleted'],
];

export default function DeleteApp({ app, onClose, onDone }: { app: AppRef; onClose: () => void; onDone: () => void }) {
    const [how, setHow] = useState<How>('foreground');
    const [typed, setTyped] = useState('');
    const [busy, setBusy] = useState(false);
    const [error, setError] = useState('');
    const parent = apps.get(`${app.namespace}/${app.name}`)?.labels['app.kubernetes.io/instance'];

    const go = async () => {
        setBusy(true);
        setError('');
        try {
            await api.remove(app, how !== 'keep', how === 'keep' ? undefined : how);
            toast('success', `Deletion of ${app.name} requested`);
            onDone();
        } catch (e) {
            setError(explain(e, 'applications', 'delete', app.name));
            setBusy(false);
        }
    };
    return (
        <Dialog
            title={`Delete ${app.name}`}
            onClose={onClose}
            testid="delete-app"
            footer={
                <>
                    <Button label="Cancel" onClick={onClose} />
                    <Button kind="danger" label="Delete" busy={busy} disabled={typed !== app.name ? 'Type the name first' : undefined} onClick={go} />
                </>
            }
        >
            {parent && parent !== app.name && <p>This application is made by {parent}, which may create it again.</p>}
            <div>
                {CHOICES.map(([value, label, hint]) => (
                    <label class="check" key={value}>
                        <input type="radio" name="how" checked={how === value} onChange={() => setHow(value)} />
                        <span>
                            {label}
                            <small>{hint}</small>
                        </span>
                    </label>
                ))}
            </div>
            <label class="field">
                <span>
                    Type <code>{app.name}</code> to confirm
                </span>
                <input class="input" data-autofocus="" value={typed} onInput={e => setTyped(e.currentTarget.value)} autocomplete="off" spellcheck={false} />
            </label>
            {error && <Problem title="It could not be deleted." message={error} />}
        </Dialog>
    );
}
