/** This node's parked providers on main: agents/providers/<node>.json, which no other node writes. */
import { providersPath } from '../model/providers.ts';
import type { ProviderPark } from '../model/providers.ts';
import { renderMessage } from '../model/message.ts';
import { renderProvidersRecord } from '../observe/providersRecord.ts';
import { fileAt, treeOf } from '../observe/tree.ts';
import { commitOn } from './commit.ts';
import { nodeSignature } from './node.ts';
import type { Node } from './node.ts';
import type { Member } from './publish.ts';

export const PROVIDERS_KEY = 'providers';

export function providersMember(node: Node, parks: readonly ProviderPark[]): Member<null> {
  const path = providersPath(node.identity.node);
  const text = renderProvidersRecord({ schema: 'cambium.providers/1', node: node.identity.node, parks });
  return {
    key: PROVIDERS_KEY,
    async build(base) {
      const file = await fileAt(node.store, await treeOf(node.store, base.main), path);
      if (file?.oid === node.store.hashBlob(Buffer.from(text)) || (file === null && parks.length === 0)) return { already: null };
      const named = parks.map(({ provider, until }) => `${provider} ${until === null ? 'until it is resumed' : `until ${until.slice(0, 19)}Z`}`).join(', ');
      const message = renderMessage({ subject: `${node.identity.node}: ${named === '' ? 'no provider is parked' : `parked ${named}`}`, trailers: { Kind: 'providers', Node: node.identity.node } });
      const main = await commitOn(node, base.main, new Map([[path, text]]), { author: nodeSignature(node), message });
      return { main, refs: [], value: null };
    },
  };
}
