interface Block {
  /** Where its first label stands, in the middle of what its labels want. */
  startPx: number;
  readonly labels: number[];
}

/**
 * Moves labels apart, each as little as can be. The library's own way moves all labels of a picture together, also those of
 * another plot beside it.
 *
 * @param wantedPx where each label belongs, from the top, in any order
 * @returns where each goes, in the same order: at least `gapPx` from the next, and none beyond `heightPx`
 */
export function placesApart(wantedPx: readonly number[], gapPx: number, heightPx: number): number[] {
  const order = wantedPx.map((_, label) => label).sort((a, b) => (wantedPx[a] ?? 0) - (wantedPx[b] ?? 0));
  const blocks: Block[] = [];
  for (const label of order) {
    let block: Block = { startPx: wantedPx[label] ?? 0, labels: [label] };
    // A block that runs into the one above becomes one with it, which may run into the next.
    for (let above = blocks.at(-1); above !== undefined && endOf(above, gapPx) > block.startPx; above = blocks.at(-1)) {
      blocks.pop();
      block = settled([...above.labels, ...block.labels], wantedPx, gapPx, heightPx);
    }
    blocks.push(block);
  }
  const places = Array.from<number>({ length: wantedPx.length });
  for (const { startPx, labels } of blocks) {
    for (const [row, label] of labels.entries()) places[label] = startPx + row * gapPx;
  }
  return places;
}

function endOf({ startPx, labels }: Block, gapPx: number): number {
  return startPx + labels.length * gapPx;
}

/** The mean of where each label wants the first to be is where all together move the least. */
function settled(labels: number[], wantedPx: readonly number[], gapPx: number, heightPx: number): Block {
  const starts = labels.map((label, row) => (wantedPx[label] ?? 0) - row * gapPx);
  const mean = starts.reduce((sum, start) => sum + start, 0) / starts.length;
  return { startPx: Math.max(0, Math.min(mean, heightPx - (labels.length - 1) * gapPx)), labels };
}
