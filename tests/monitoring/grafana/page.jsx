// Draws a board by Grafana's own code: its fields, units and overrides, its panel's frame, its chart of a time series.
// What is written here is what Grafana's server and its panel for time series do between these: a query's answer as a
// frame, the name of each line, and the place of each panel.
import { Component } from 'react';
import { createRoot } from 'react-dom/client';
import { FieldConfigOptionsRegistry, FieldType, ThemeContext, applyFieldOverrides, createTheme, dateTime, standardFieldConfigEditorRegistry, toDataFrame } from '@grafana/data';
import { GlobalStyles, PanelChrome, TimeSeries } from '@grafana/ui';

const { board, answers, from, to } = window.given;
const UNIT = 40;
const theme = createTheme({ colors: { mode: 'light' } });
const option = (path, isCustom) => ({
  id: isCustom ? `custom.${path}` : path, path, isCustom, name: path, settings: {},
  process: (value) => value, shouldApply: () => true, editor: () => null, override: () => null,
});
const standard = ['unit', 'min', 'max', 'decimals', 'color'].map((each) => option(each, false));
standardFieldConfigEditorRegistry.setInit(() => standard);
const fieldConfigRegistry = new FieldConfigOptionsRegistry(() => [...standard, ...['lineWidth', 'fillOpacity'].map((each) => option(each, true))]);
const replaceVariables = (value) => value;

function frames(panel) {
  return panel.targets.flatMap((target, at) => answers[panel.id][at].map((series) => {
    const { __name__, ...labels } = series.metric;
    const name = target.legendFormat.replace(/{{\s*(.+?)\s*}}/g, (_, key) => labels[key] ?? '');
    return toDataFrame({
      refId: target.refId, name,
      fields: [
        { name: 'Time', type: FieldType.time, config: {}, values: series.values.map(([when]) => when * 1000) },
        { name: 'Value', type: FieldType.number, labels, config: { displayNameFromDS: name }, values: series.values.map(([, value]) => parseFloat(value)) },
      ],
    });
  }));
}

function Drawn({ panel, width, height }) {
  const data = applyFieldOverrides({ data: frames(panel), fieldConfig: panel.fieldConfig, replaceVariables, theme, fieldConfigRegistry, timeZone: 'utc' });
  const range = { from: dateTime(from * 1000), to: dateTime(to * 1000), raw: { from: 'now-6h', to: 'now' } };
  return (
    <PanelChrome title={panel.title} width={width} height={height}>
      {(w, h) => data.length === 0 ? <p>No data</p> : (
        <TimeSeries frames={data} timeRange={range} timeZone="utc" width={w} height={h} legend={panel.options.legend} options={panel.options} replaceVariables={replaceVariables} />
      )}
    </PanelChrome>
  );
}

function Board() {
  const column = window.innerWidth / 24;
  const { background, text } = theme.colors;
  const height = Math.max(...board.panels.map(({ gridPos }) => gridPos.y + gridPos.h)) * UNIT;
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <div style={{ position: 'relative', height, background: background.canvas, color: text.primary, fontFamily: theme.typography.fontFamily }}>
        {board.panels.map((panel) => {
          const { x, y, w, h } = panel.gridPos;
          const [width, tall] = [w * column - 8, h * UNIT - 8];
          return (
            <div key={panel.id} data-panel={panel.title} style={{ position: 'absolute', left: x * column + 4, top: y * UNIT + 4, width, height: tall }}>
              {panel.type === 'row' ? <h4 style={{ margin: 6 }}>{panel.title}</h4> : <Drawn panel={panel} width={width} height={tall} />}
            </div>
          );
        })}
      </div>
    </ThemeContext.Provider>
  );
}

class Whole extends Component {
  state = {};
  static getDerivedStateFromError(wrong) { return { wrong }; }
  render() { return this.state.wrong ? <pre id="wrong">{String(this.state.wrong.stack)}</pre> : this.props.children; }
}

createRoot(document.getElementById('root')).render(<Whole><Board /></Whole>);
