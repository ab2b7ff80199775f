// One chunk for what opens over a page.
export { default as Bulk } from './applications/bulk';
export { default as CreateApp } from './createapp';
export { default as DeleteApp } from './deleteapp';
export { default as SyncPanel } from './syncpanel';
