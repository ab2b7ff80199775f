// Set by build.mjs: true in the builds that the browser tests use.
declare const __TEST__: boolean;
