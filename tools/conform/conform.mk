# SPDX-License-Identifier: MIT
# conform.mk - mapwright-conform and mapwright-probe, static programs (but for sanitizers, which
# can't be); the Makefile includes it.
CONFORM_OBJ := $(call obj,$(wildcard tools/conform/*.c) tools/conform/static/main.c \
	tools/draw.c tools/layout.c tools/event.c)

.PHONY: conform
conform: $(B)/mapwright-conform
$(B)/mapwright-conform: $(CONFORM_OBJ) $(B)/libmapwright.a
	$(CC) $(EXTRA) $(if $(findstring -fsanitize,$(EXTRA)),,-static) -o $@ $(CONFORM_OBJ) $(B)/libmapwright.a

PROBE_OBJ := $(call obj,tools/conform/static/probe.c tools/probe.c tools/linux.c tools/json.c)

$(B)/mapwright-probe: $(PROBE_OBJ) $(B)/libmapwright.a
	$(CC) $(EXTRA) $(if $(findstring -fsanitize,$(EXTRA)),,-static) -o $@ $(PROBE_OBJ) $(B)/libmapwright.a

-include $(PROBE_OBJ:.o=.d) $(CONFORM_OBJ:.o=.d)
