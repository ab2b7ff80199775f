// One chunk for the small pages.
export { default as Help } from './help';
export { default as Settings } from './settings';
export { default as UserInfo } from './userinfo';
export { default as VersionPanel } from './version';
