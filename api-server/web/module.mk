# The dashboard. The archive `web` holds web_assets[] (api-server/http/web_assets.h): the built files, or with WITH_UI=0
# a one-line page made without Node. What is built does not depend on sanitisers, so all builds share build/web.

WEB     := api-server/web
WEB_OUT := build/web
WEB_SRC := $(wildcard $(WEB)/*.json $(WEB)/build.mjs) $(shell find $(WEB)/src -type f)
WEB_TEST := $(shell find $(WEB)/test -type f)

ARCHIVES += web
LIB_web  := $(B)/gen/web_assets.c

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
ifeq ($(WITH_UI),1)
$(B)/gen/web_assets.c: $(WEB_OUT)/.built
	@mkdir -p $(@D); cmp -s $(WEB_OUT)/assets.c $@ || cp $(WEB_OUT)/assets.c $@
else
NO_UI_PAGE := <!doctype html><title>cargocd</title><p>This server was built without the dashboard; the API is at api/v1.</p>
$(B)/gen/web_assets.c: $(WEB)/module.mk $(B)/.flags
	@mkdir -p $(@D) build/web-none
	@printf '%s\n' '$(NO_UI_PAGE)' > build/web-none/index.html
	@gzip -9nc build/web-none/index.html > build/web-none/index.html.gz
	@{ echo '#include "api-server/http/web_assets.h"'; \
	   echo '__asm__(".section .rodata\nweb_gz:\n.incbin \"build/web-none/index.html.gz\"\n.previous\n");' | sed 's/$$//'; \
	   echo 'extern const unsigned char web_gz[];'; \
	   echo 'const struct web_asset web_assets[] = {{"index.html", "text/html; charset=utf-8",'; \
	   echo '    "'$$(sha256sum < build/web-none/index.html | cut -d' ' -f1)'", false, web_gz, '$$(stat -c %s build/web-none/index.html.gz)'}};'; \
	   echo 'const size_t web_assets_n = 1;'; } > $@
endif

ui: $(WEB_OUT)/.built

# Types, unit tests and browser tests of the dashboard.
ui-check: build/web-test/.checked
build/web-test/.checked: $(WEB_SRC) $(WEB_TEST) $(WEB_OUT)/.built
	$(Q)cd $(WEB) && node_modules/.bin/tsc --noEmit
	$(Q)cd $(WEB) && node test/run.mjs unit && node test/run.mjs browser
	@touch $@

.PHONY: ui ui-check
