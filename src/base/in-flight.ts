/** What is in flight keeps its own place, so that it is found without a look-up. */
export interface InFlightItem {
  /** Owned by the one `InFlight` that it is in; -1 outside. */
  place: number;
}

/**
 * Items that come and go all the time, few of them at once. Not a `Set`: a set that is filled and emptied is rebuilt
 * every few dozen items, each rebuilt table leads on to the next, and so one that grew old keeps everything that ever
 * went through alive until the next full collection. That cost more time than admission itself.
 */
export class InFlight<Item extends InFlightItem> {
  private readonly items: Item[] = [];

  get size(): number {
    return this.items.length;
  }

  add(item: Item): void {
    item.place = this.items.length;
    this.items.push(item);
  }

  /** Items that are not in it are passed over. */
  delete(item: Item): void {
    const { place } = item;
    if (this.items[place] !== item) return;
    const last = this.items.pop() as Item;
    item.place = -1;
    if (last === item) return;
    this.items[place] = last;
    last.place = place;
  }

  /** The newest first; items may be deleted meanwhile, and what is added meanwhile is not visited. */
  forEach(visit: (item: Item) => void): void {
    for (let place = this.items.length - 1; place >= 0; place -= 1) {
      const item = this.items[place];
      if (item !== undefined) visit(item);
    }
  }
}
