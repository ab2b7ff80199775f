# make images [REGISTRY=] [TAG=] [WITH_UI=0] [WITH_TOOLS=0] [PUSH=1]: the container images, see images.sh.
images:
	$(Q)REGISTRY='$(REGISTRY)' TAG='$(TAG)' WITH_UI='$(WITH_UI)' WITH_TOOLS='$(WITH_TOOLS)' PUSH='$(PUSH)' ./images.sh

.PHONY: images
