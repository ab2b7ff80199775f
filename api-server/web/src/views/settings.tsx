// Appearance: what this browser remembers.

import { useTitle } from '../lib/title';
import { prefs, setPref, type Prefs } from '../store/prefs';
import { Check } from '../widgets/controls';

function Choice<K extends 'theme' | 'density'>({ name, title, options }: { name: K; title: string; options: [Prefs[K], string][] }) {
    return (
        <fieldset class="choice">
            <legend>{title}</legend>
            {options.map(([value, label]) => (
                <label class="check" key={value}>
                    <input type="radio" name={name} checked={prefs.value[name] === value} onChange={() => setPref(name, value)} />
                    <span>{label}</span>
                </label>
            ))}
        </fieldset>
    );
}

export default function Settings() {
    useTitle('Appearance', 'Settings');
    return (
        <div class="page narrow">
            <h1>Appearance</h1>
            <p class="muted">Kept in this browser.</p>
            <section style={{ marginTop: '16px' }}>
                <Choice
                    name="theme"
                    title="Theme"
                    options={[
                        ['auto', 'As the system'],
                        ['light', 'Light'],
                        ['dark', 'Dark'],
                    ]}
                />
            </section>
            <section>
                <Choice
                    name="density"
                    title="Density of lists"
                    options={[
                        ['comfortable', 'Comfortable'],
                        ['compact', 'Compact'],
                    ]}
                />
            </section>
            <section>
                <fieldset class="choice">
                    <legend>Keyboard</legend>
                    <Check
                        label="Single-key shortcuts"
                        hint="Keys such as s for sync. Shortcuts with Ctrl work either way."
                        checked={prefs.value.singleKeys}
                        onChange={v => setPref('singleKeys', v)}
                    />
                </fieldset>
            </section>
        </div>
    );
}
