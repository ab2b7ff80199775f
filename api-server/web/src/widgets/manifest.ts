// One chunk for manifests: the writer and the viewer.
export { toYaml } from '../lib/manifest';
export { default as YamlView } from './yamlview';
