// A graph of LangGraph.js keeps facts in a bank, and a later one finds them: node langgraph.js [URL [KEY]]
import { Annotation, END, START, StateGraph } from '@langchain/langgraph';
import { Foxing } from 'foxing-memory';
import { FoxingStore } from 'foxing-memory/langgraph';

const [baseUrl = 'http://127.0.0.1:8765', key] = process.argv.slice(2);
const foxing = new Foxing({ baseUrl, ...(key && { key }) });
const facts = ['users', 'mina'];

const last = () => Annotation({ default: () => '', reducer: (_, value) => value });
const State = Annotation.Root({ said: last(), answer: last() });
// a node that keeps what is said, and one that answers from what is kept, as a model would
const graph = new StateGraph(State)
  .addNode('keep', async ({ said }, { store }) => {
    if (!said.endsWith('?')) await store?.put(facts, said, { text: said });
    return {};
  })
  .addNode('reply', async ({ said }, { store }) => {
    const [item] = said.endsWith('?') ? ((await store?.search(facts, { query: said, limit: 1 })) ?? []) : [];
    return { answer: item ? `You said: ${item.value.text}` : 'Noted.' };
  })
  .addEdge(START, 'keep')
  .addEdge('keep', 'reply')
  .addEdge('reply', END)
  .compile({ store: new FoxingStore({ foxing, bank: 'javascript-langgraph-example', index: ['text'] }) });

for (const said of ['Mina does not eat fish.', 'Does Mina eat fish?']) {
  const { answer } = await graph.invoke({ said });
  console.log(`user: ${said}\nassistant: ${answer}`);
}
