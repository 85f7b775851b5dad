/* SPDX-License-Identifier: MIT */
/* would.c - asks other versions of Linux. */
#include "would.h"

#include <string.h>

void would_ask(struct would *would, struct model *model, const struct event *event)
{
    struct mw_space *space = model_space(model);
    struct model_request request;
    uint32_t version[1 + LINUX_MOST];

    would->asked = false;
    if (!would->list.n || !event->result_known || !model_request(model, event, &request))
        return;
    version[0] = mw_space_config(space)->linux_version;
    memcpy(&version[1], would->list.version, would->list.n * sizeof version[0]);
    mw_would_each(space, version, 1 + would->list.n, &request.call, would->answer);
    would->placed = request.placed;
    would->asked = true;
}
