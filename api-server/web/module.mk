# The dashboard. The archive `web` holds web_assets[] (api-server/http/web_assets.h): the built files, or with WITH_UI=0
# a one-line page made without Node. What is built does not depend on sanitisers, so all builds share build/web.

WEB     := api-server/web
WEB_OUT := build/web
WEB_SRC := $(wildcard $(WEB)/*.json $(WEB)/build.mjs) $(shell find $(WEB)/src -type f)
WEB_TEST := $(shell find $(WEB)/test -type f)

ARCHIVES += web
LIB_web  := $(if $(filter 1,$(WITH_UI)),$(B)/gen/web_assets.c,$(WEB)/no_ui.c)

$(WEB)/node_modules/.package-lock.json: $(WEB)/package-lock.json
	$(call say,NPM,$(WEB))
	$(Q)cd $(WEB) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

$(WEB_OUT)/.built: $(WEB_SRC) $(WEB)/node_modules/.package-lock.json
	$(call say,WEB,$(WEB_OUT))
	@mkdir -p $(WEB_OUT)
	$(Q)node $(WEB)/build.mjs --out $(WEB_OUT)
	@touch $@

# A build of the page that is the same byte for byte compiles nothing.
$(B)/gen/web_assets.c: $(WEB_OUT)/.built $(B)/.flags
	@mkdir -p $(@D); cmp -s $(WEB_OUT)/assets.c $@ || cp $(WEB_OUT)/assets.c $@

ui: $(WEB_OUT)/.built

# Types, unit tests and browser tests of the dashboard.
ui-check: build/web-test/.checked
build/web-test/.checked: $(WEB_SRC) $(WEB_TEST) $(WEB_OUT)/.built
	$(Q)cd $(WEB) && node_modules/.bin/tsc --noEmit
	$(Q)cd $(WEB) && node test/run.mjs unit && node test/run.mjs browser
	@touch $@

.PHONY: ui ui-check
