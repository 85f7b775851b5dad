/* SPDX-License-Identifier: MIT */
/* watch.c - watchers of a space, and what they are told. */
#include "space/watch.h"

struct mw_watcher *watch_of(const struct mw_space *s, uint64_t vm_flags)
{
    struct mw_watcher *w = s->watchers;

    while (w && (vm_flags & VMA_WATCHER) != w->id)
        w = w->next;
    return w;
}

bool watch_asks(const struct mw_space *s, uint64_t vm_flags, uint64_t feature)
{
    const struct mw_watcher *w = vm_flags & MW_VM_UFFD ? watch_of(s, vm_flags) : NULL;

    return w && (w->features & feature);
}

struct mw_watcher *watch_new(struct mw_space *s, uint64_t features, mw_watch_event_fn *event,
                             void *ctx)
{
    const struct mw_port *port = s->cfg.port;
    struct mw_watcher **at = &s->watchers, *w;
    uint64_t number = 1;

    for (; *at && (*at)->id == number << WATCH_ID_SHIFT; at = &(*at)->next) /* the first free one */
        number++;
    w = number <= WATCH_IDS ? port->alloc(port->ctx, sizeof *w) : NULL;
    if (!w)
        return NULL;
    *w = (struct mw_watcher){ .space = s, .id = number << WATCH_ID_SHIFT, .features = features,
                              .event = event, .ctx = ctx, .next = *at };
    *at = w;
    return w;
}

void watch_free(struct mw_watcher *w)
{
    const struct mw_port *port = w->space->cfg.port;
    struct mw_watcher **at = &w->space->watchers;

    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    port->free(port->ctx, w, sizeof *w);
}

/* The watchers of a copied layout are its original's, and hear nothing of it. */
static void tell(const struct mw_space *s, const struct mw_watcher *w, uint64_t feature,
                 const struct mw_watch_event *event)
{
    if (w && w->space == s && (w->features & feature) && w->event)
        w->event(w->ctx, event);
}

static bool watches(const struct mw_space *s, const struct mw_watcher *w, uint64_t start, uint64_t end)
{
    for (struct cursor c = tree_find(&s->tree, start); c.leaf && tree_at(c)->start < end;
         c = tree_next(c))
        if ((tree_at(c)->flags & VMA_WATCHER) == w->id)
            return true;
    return false;
}

void watch_tell_unmap(struct mw_space *s, uint64_t start, uint64_t end)
{
    for (const struct mw_watcher *w = s->watchers; w; w = w->next)
        if ((w->features & MW_UFFD_FEATURE_EVENT_UNMAP) && watches(s, w, start, end))
            tell(s, w, MW_UFFD_FEATURE_EVENT_UNMAP,
                 &(struct mw_watch_event){ .event = MW_UFFD_EVENT_UNMAP, .start = start, .end = end });
}

void watch_tell_remove(struct mw_space *s, uint64_t vm_flags, struct mw_range at)
{
    if (vm_flags & WATCH_OWN)
        tell(s, watch_of(s, vm_flags), MW_UFFD_FEATURE_EVENT_REMOVE,
             &(struct mw_watch_event){ .event = MW_UFFD_EVENT_REMOVE, .start = at.start, .end = at.end });
}

void watch_tell_remap(struct mw_space *s, uint64_t vm_flags, uint64_t from, uint64_t to,
                      uint64_t length)
{
    if (vm_flags & WATCH_OWN)
        tell(s, watch_of(s, vm_flags), MW_UFFD_FEATURE_EVENT_REMAP,
             &(struct mw_watch_event){ .event = MW_UFFD_EVENT_REMAP, .start = from,
                                       .end = from + length, .to = to });
}
