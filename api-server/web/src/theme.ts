// Runs in <head> before the first paint, so that the page never flashes in the other theme. Keep it tiny.
import { PREFS_KEY } from './product';

let theme: unknown = 'auto';
let density: unknown;
try {
    const p = JSON.parse(localStorage.getItem(PREFS_KEY) ?? '{}');
    theme = p.theme;
    density = p.density;
} catch {
    // Unreadable preferences are no preferences.
}
const dark = theme === 'dark' || (theme !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
document.documentElement.dataset.theme = dark ? 'dark' : 'light';
document.documentElement.dataset.density = density === 'compact' ? 'compact' : 'comfortable';
